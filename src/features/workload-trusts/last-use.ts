import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import { touchTrusts } from './store.ts';

/** When each entry was used last, written once in a while: no token request waits for it. */
export interface LastUse {
  used(trustId: string): void;
  /** Writes what is not written yet; a failure is logged, the next use is written again. */
  flush(): Promise<void>;
}

const EVERY_MS = 30_000;

export function createLastUse({ db, clock, log }: { db: Database; clock: Clock; log: Log }): LastUse {
  let used = new Map<string, Date>();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
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
    used(trustId) {
      used.set(trustId, clock.now());
      timer ??= setTimeout(() => void flush(), EVERY_MS).unref();
    },
    flush,
  };
}
