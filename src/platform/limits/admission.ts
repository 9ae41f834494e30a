import { AppError } from '../../kernel/errors.ts';

export interface Admission {
  /** Runs `work` unless too much is under way. @throws busy (503, retryAfter in seconds) before anything was done */
  admit<T>(work: () => Promise<T>): Promise<T>;
  /**
   * The same; undefined for what is refused: under a flood, an error for each of them would cost more than most work. Work
   * that gives undefined has left the answer to somebody else, who asks for a place again: it counts as none.
   */
  tryAdmit<T>(work: () => Promise<T>): Promise<T> | undefined;
  underWay(): number;
}

export interface AdmissionOptions {
  /** That may be under way at the same time. */
  most: number;
  /** As many always may, however slowly they are answered. */
  least?: number;
  /** Of each request; `first` of those in about a second. */
  onRefused: (first: boolean) => void;
  /** Milliseconds; monotonic. */
  now?: () => number;
}

const RETRY_AFTER_SECONDS = 1;
/** What would wait longer than this is refused: those who ask give up, and ask again, while it is worked on. */
const LONGEST_WAIT_SECONDS = 2;
const WINDOW_MS = 1_000;

export function busy(): AppError {
  return new AppError('busy', { status: 503, retryAfter: RETRY_AFTER_SECONDS });
}

/**
 * Keeps a process from accepting more than it can answer in time: what would only wait is refused at once, which costs
 * next to nothing, so that what was accepted ends and the process is itself again as soon as the flood does.
 *
 * How much that is follows from what was answered lately (Little's law: those under way ÷ answers a second = seconds that
 * the last one waits), as long as there was always something to do; else it is `most`.
 */
export function createAdmission(options: AdmissionOptions): Admission {
  const { most, least = most, onRefused, now = () => performance.now() } = options;
  let running = 0;
  let limit = most;
  /** Of the window: when it began, what ended in it, the fewest that were under way, and what the one before allowed. */
  let began = now();
  let ended = 0;
  let fewest = 0;
  let refusing = false;
  let before = most;

  function adapt(): void {
    const seconds = (now() - began) / 1000;
    if (seconds * 1000 < WINDOW_MS) return;
    const allowed = fewest < least ? most : (ended / seconds) * LONGEST_WAIT_SECONDS;
    // Of two windows: a pause of the whole process is no sign of slowness.
    limit = Math.min(most, Math.max(least, allowed, before));
    before = allowed;
    began = now();
    ended = 0;
    fewest = running;
    refusing = false;
  }

  async function run<T>(work: () => Promise<T>, isAnswer: (result: T) => boolean = () => true): Promise<T> {
    running += 1;
    let answers = 1;
    try {
      const result = await work();
      if (!isAnswer(result)) answers = 0;
      return result;
    } finally {
      running -= 1;
      ended += answers;
      fewest = Math.min(fewest, running);
    }
  }

  function attempt<T>(work: () => Promise<T>, isAnswer?: (result: T) => boolean): Promise<T> | undefined {
    adapt();
    if (running < limit) return run(work, isAnswer);
    onRefused(!refusing);
    refusing = true;
    return undefined;
  }

  return {
    tryAdmit: (work) => attempt(work, (result) => result !== undefined),
    admit: (work) => attempt(work) ?? Promise.reject(busy()),
    underWay: () => running,
  };
}
