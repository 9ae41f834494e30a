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
}): GroupCommit<Entry> {
  const largest = options.largest ?? 500;
  let queue: Waiting<Entry>[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, largest);
      queue = queue.slice(largest);
      try {
        await options.flush(batch.map((waiting) => waiting.entry));
        for (const waiting of batch) waiting.resolve();
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    running = undefined;
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
