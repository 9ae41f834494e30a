import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import { touchTrusts } from './store.ts';

/** When each entry was used last, written once in a while: no token request waits for it. */
export interface LastUse {
  used(trustId: string): void;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const EVERY_MS = 30_000;

export function createLastUse({ db, clock, log }: { db: Database; clock: Clock; log: Log }): LastUse {
  let used = new Map<string, Date>();
  const timer = setInterval(() => void flush(), EVERY_MS).unref();

  async function flush(): Promise<void> {
    if (used.size === 0) return;
    const batch = used;
    used = new Map();
    try {
      await touchTrusts(db, batch);
    } catch (error) {
      log.warn({ err: error }, 'the last use of workload trusts could not be written');
    }
  }

  return {
    used: (trustId) => void used.set(trustId, clock.now()),
    flush,
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}
