import { AppError } from '../../kernel/errors.ts';

export interface Admission {
  /** Runs `work` unless too much is under way. @throws busy (503, retryAfter in seconds) before anything was done */
  admit<T>(work: () => Promise<T>): Promise<T>;
  underWay(): number;
}

/**
 * Keeps a process from accepting more than it can answer in time: what would only wait is refused at once, which costs
 * next to nothing, so that what was accepted ends and the process is itself again as soon as the flood does.
 */
export function createAdmission({ most, onRefused }: { most: number; onRefused: () => void }): Admission {
  let running = 0;
  return {
    async admit(work) {
      if (running >= most) {
        onRefused();
        throw new AppError('busy', { status: 503, retryAfter: 1 });
      }
      running += 1;
      try {
        return await work();
      } finally {
        running -= 1;
      }
    },
    underWay: () => running,
  };
}
