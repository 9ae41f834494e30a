import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { AppError } from '../../kernel/errors.ts';
import type { Log } from '../observe/log.ts';
import { translateFailure } from './failure.ts';

export interface MigrateOptions {
  url: string;
  log: Log;
  /** Of `<name>/migration.sql`; the project's own unless told otherwise. */
  folder?: string;
}

export interface Migration {
  name: string;
  script: string;
  /** SHA-256 of the script, hex. */
  checksum: string;
}

interface HistoryRow {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
  rolled_back_at: Date | null;
}

const OWN_FOLDER = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** The advisory lock of Prisma's schema engine: `prisma migrate deploy` and this wait for each other. */
const PRISMA_LOCK = 72_707_369;
const LOCK_TIMEOUT_MS = 60_000;

/** The history exactly as Prisma's schema engine makes it. */
const HISTORY_TABLE = `CREATE TABLE _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
);`;

function refuse(code: string, detail: string, cause?: unknown): AppError {
  return new AppError(code, { status: 500, detail, cause });
}

/** The migrations that this program knows, in their order. */
export function listMigrations(folder: string = OWN_FOLDER): Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const script = readFileSync(path.join(folder, name, 'migration.sql'), 'utf8');
      return { name, script, checksum: createHash('sha256').update(script).digest('hex') };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Undefined where the history table is absent. */
async function readHistory(client: pg.Client): Promise<HistoryRow[] | undefined> {
  const { rows } = await client.query("SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present");
  if (rows[0]?.present !== true) return undefined;
  const history = await client.query<HistoryRow>(
    'SELECT migration_name, checksum, finished_at, rolled_back_at FROM _prisma_migrations ORDER BY started_at',
  );
  return history.rows;
}

async function refuseForeignSchema(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
       AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
     ORDER BY c.relname LIMIT 1`,
  );
  if (rows[0] === undefined) return;
  throw refuse(
    'database.not_empty',
    `DATABASE_URL names a database that holds something else (such as "${rows[0].relname}"): give Postern an empty one`,
  );
}

/** Checks the history against the files; what is left is still to be applied. */
function pending(migrations: Migration[], history: HistoryRow[], log: Log): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  const applied = new Set<string>();
  for (const row of history) {
    if (row.rolled_back_at !== null) continue;
    if (row.finished_at === null) {
      throw refuse(
        'database.migration_unfinished',
        `the migration ${row.migration_name} was started and did not end: mend the database, then run ` +
          `"npx prisma migrate resolve --rolled-back ${row.migration_name}" (or --applied)`,
      );
    }
    const file = known.get(row.migration_name);
    if (file === undefined) {
      // A newer release ran here. Migrations only add what the release before it can live with (rolling upgrade).
      log.warn({ migration: row.migration_name }, 'the database is newer than this program');
    } else if (file.checksum !== row.checksum) {
      throw refuse(
        'database.migration_edited',
        `the migration ${row.migration_name} was edited after it was applied: restore its file`,
      );
    }
    applied.add(row.migration_name);
  }
  return migrations.filter(({ name }) => !applied.has(name));
}

async function apply(client: pg.Client, { name, script, checksum }: Migration): Promise<void> {
  const values = [randomUUID(), checksum, name].map((value) => client.escapeLiteral(value)).join(', ');
  const row =
    'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count) ' +
    `VALUES (${values}, statement_timestamp(), clock_timestamp(), 1)`;
  try {
    // One simple query is one transaction: the script and its row, or neither.
    await client.query(`${script}\n;${row}`);
  } catch (error) {
    if (error instanceof pg.DatabaseError) await recordFailure(client, { name, checksum, error });
    throw translateFailure(
      refuse('database.migration_failed', `the migration ${name} failed: ${(error as Error).message}`, error),
    );
  }
}

/** As rolled back, which it is: the next start tries again. */
async function recordFailure(
  client: pg.Client,
  { name, checksum, error }: { name: string; checksum: string; error: Error },
): Promise<void> {
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, logs, started_at, rolled_back_at)
     VALUES ($1, $2, $3, $4, now(), now())`,
    [randomUUID(), checksum, name, error.message],
  );
}

async function migrateLocked(client: pg.Client, folder: string, log: Log): Promise<string[]> {
  const migrations = listMigrations(folder);
  let history = await readHistory(client);
  if (history === undefined) {
    await refuseForeignSchema(client);
    await client.query(HISTORY_TABLE);
    history = [];
  }
  const applied: string[] = [];
  for (const migration of pending(migrations, history, log)) {
    await apply(client, migration);
    log.info({ migration: migration.name }, 'the database was migrated');
    applied.push(migration.name);
  }
  return applied;
}

/**
 * Brings the database up to date and resolves with the names of the migrations that it applied. Keeps Prisma's own
 * history, so that `prisma migrate deploy` and `status` agree. Several processes may do it at once: one works, the others
 * wait. Throws AppError `database.not_empty`, `.migration_unfinished`, `.migration_edited`, `.migration_failed` (status
 * 500, `detail` says what to do) or `.unavailable` (503).
 *
 * Not for scripts with a COMMIT of their own or with CREATE INDEX CONCURRENTLY: each runs in one transaction.
 */
export async function migrate({ url, log, folder = OWN_FOLDER }: MigrateOptions): Promise<{ applied: string[] }> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'postern migrate',
    connectionTimeoutMillis: 10_000,
  });
  // A lost connection also fails the query that waits; unheard, the event would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}; SET client_min_messages = warning`);
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK]);
    await client.query('SET lock_timeout = 0');
    // The lock ends with the connection.
    return { applied: await migrateLocked(client, folder, log) };
  } catch (error) {
    throw translateFailure(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
