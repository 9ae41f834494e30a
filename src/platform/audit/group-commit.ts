import { STALLED_MS } from '../db/failure.ts';

/**
 * Concurrent entries share one statement: the first is flushed at once, what arrives meanwhile waits for that flush to
 * end and goes together in the next. Each caller waits for the commit of its own entry and for no other.
 */
export interface GroupCommit<Entry> {
  add(entry: Entry): Promise<void>;
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>;
}

interface Waiting<Entry> {
  entry: Entry;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export function createGroupCommit<Entry>(options: {
  flush: (entries: Entry[]) => Promise<void>;
  /** Entries in one statement. */
  largest?: number;
  /** Whether an error is the fault of one entry: the others of its statement are then flushed each by itself. */
  isFaultOfEntry?: (error: unknown) => boolean;
  /** Milliseconds; monotonic. */
  now?: () => number;
}): GroupCommit<Entry> {
  const { largest = 500, now = () => performance.now() } = options;
  let queue: Waiting<Entry>[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, largest);
      queue = queue.slice(largest);
      const began = now();
      const error = await flushed(batch);
      if (error === undefined) continue;
      if (batch.length === 1 || !options.isFaultOfEntry?.(error)) {
        const stalled = now() - began >= STALLED_MS;
        for (const waiting of stalled ? [...batch, ...queue.splice(0)] : batch) waiting.reject(error);
        continue;
      }
      for (const waiting of batch) {
        const own = await flushed([waiting]);
        if (own !== undefined) waiting.reject(own);
      }
    }
    running = undefined;
  }

  /** The error, or undefined when the entries are durable and those who wait were told. */
  async function flushed(batch: Waiting<Entry>[]): Promise<unknown> {
    try {
      await options.flush(batch.map((waiting) => waiting.entry));
    } catch (error) {
      return error ?? new Error('a flush failed without a reason');
    }
    for (const waiting of batch) waiting.resolve();
    return undefined;
  }

  return {
    add(entry) {
      return new Promise<void>((resolve, reject) => {
        queue.push({ entry, resolve, reject });
        running ??= drain();
      });
    },
    async idle() {
      await running;
    },
  };
}
