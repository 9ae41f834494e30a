import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../db/database.ts';

/** Sealed rows of `setting`. By SQL, because every start reads them and a start alone must not load Prisma's engine. */
export interface SettingStore {
  /** Whether anything in the database was sealed; no for a database without tables. */
  anySealed(): Promise<boolean>;
  /** name → sealed value, of those that exist. */
  read(names: string[]): Promise<Map<string, Buffer>>;
  /** Writes those that do not exist yet; of processes that start together one wins each name. */
  add(rows: Map<string, Buffer>): Promise<void>;
}

export function createSettingStore(db: Database, clock: Clock): SettingStore {
  return {
    async anySealed() {
      const [table] = await db.query<{ present: boolean }>(
        'setting-table',
        "SELECT to_regclass('setting') IS NOT NULL AS present",
        [],
      );
      if (!table?.present) return false;
      const rows = await db.query('setting-any', 'SELECT 1 FROM setting WHERE value_enc IS NOT NULL LIMIT 1', []);
      return rows.length > 0;
    },
    async read(names) {
      const rows = await db.query<{ name: string; value_enc: Buffer }>(
        'setting-read',
        'SELECT name, value_enc FROM setting WHERE name = ANY($1::text[]) AND value_enc IS NOT NULL',
        [names],
      );
      return new Map(rows.map((row) => [row.name, row.value_enc]));
    },
    async add(rows) {
      await db.query(
        'setting-add',
        `INSERT INTO setting (name, value_enc, updated_at)
         SELECT name, value, $3 FROM unnest($1::text[], $2::bytea[]) AS made (name, value) ON CONFLICT (name) DO NOTHING`,
        [[...rows.keys()], [...rows.values()], clock.now()],
      );
    },
  };
}
