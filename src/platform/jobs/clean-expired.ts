import { after, type Clock } from '../../kernel/clock.ts';
import type { Database } from '../db/database.ts';

/** Tables whose rows end by themselves (`expires_at`), with their keys. */
const TABLES = {
  token: 'id_hash',
  session: 'id_hash',
  console_session: 'id_hash',
  sign_in_attempt: 'uid_hash',
  one_time_link: 'id',
  abuse_counter: 'key_hash',
} as const;

/** Small batches: locks stay short and nobody waits behind the cleaning. */
const BATCH = 1_000;
/** Seconds after the end: other processes' clocks may be behind, and a late request deserves "expired", not "unknown". */
const GRACE = 3_600;

/** Deletes what has expired. Answers how many rows of which table; tables without any are left out. */
export async function cleanExpired(options: {
  db: Database;
  clock: Clock;
  signal?: AbortSignal;
}): Promise<Partial<Record<keyof typeof TABLES, number>>> {
  const { db, clock, signal } = options;
  const deleted: Partial<Record<keyof typeof TABLES, number>> = {};
  const before = after(clock, -GRACE);
  for (const [table, key] of Object.entries(TABLES) as [keyof typeof TABLES, string][]) {
    let rows: unknown[];
    do {
      if (signal?.aborted) return deleted;
      rows = await db.query(
        `clean.${table}`,
        `DELETE FROM ${table} WHERE ${key} IN (
           SELECT ${key} FROM ${table} WHERE expires_at < $1 ORDER BY expires_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
         RETURNING 1`,
        [before],
      );
      if (rows.length > 0) deleted[table] = (deleted[table] ?? 0) + rows.length;
    } while (rows.length === BATCH);
  }
  return deleted;
}
