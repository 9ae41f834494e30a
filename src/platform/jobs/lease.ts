import type { Database } from '../db/database.ts';

/** Mutual exclusion over all processes. The database's time decides, so that skewed clocks can't share a lease. */
export interface Leases {
  /** Takes or renews the lease for so many seconds; false when another holder has it. */
  take(name: string, seconds: number): Promise<boolean>;
  /** Keeps others off until so many seconds from now, 0 lets them at once. Without effect when the lease is lost. */
  leave(name: string, seconds: number): Promise<void>;
}

const TAKE = `
INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
WHERE lease.expires_at <= now() OR lease.holder = EXCLUDED.holder
RETURNING name`;

/** The column holds milliseconds and would round up: what is left at once has to be free at once. */
const LEAVE = `
UPDATE lease SET holder = '', expires_at = date_trunc('milliseconds', now()) + make_interval(secs => $3)
WHERE name = $1 AND holder = $2`;

/** `holder` is unique to the process. */
export function createLeases(db: Database, holder: string): Leases {
  return {
    take: async (name, seconds) => (await db.query('lease.take', TAKE, [name, holder, seconds])).length === 1,
    async leave(name, seconds) {
      await db.query('lease.leave', LEAVE, [name, holder, seconds]);
    },
  };
}
