import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { type Database, openDatabase } from '../../src/platform/db/database.ts';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { migrate } from '../../src/platform/db/migrate.ts';

export interface TestDatabase {
  db: Database;
  url: string;
  drop(): Promise<void>;
}

const log = pino({ level: 'silent' });
const MIGRATIONS = join(import.meta.dirname, '../../prisma/migrations');
const TEMPLATE_LOCK = 7_270_736_999;

/** A server of the caller's choosing, else the embedded one in a folder that all test processes of a user share. */
async function server(): Promise<{ url: string; stop(): Promise<void> }> {
  const url = process.env.POSTERN_TEST_DATABASE_URL;
  if (url) return { url, stop: async () => undefined };
  return startEmbedded({ dataDir: join(tmpdir(), `postern-test-${userInfo().uid}`), log, durable: false });
}

function named(url: string, database: string): string {
  const result = new URL(url);
  result.pathname = `/${database}`;
  return result.href;
}

function templateName(): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(MIGRATIONS, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) hash.update(readFileSync(join(MIGRATIONS, entry.name, 'migration.sql')));
  }
  return `postern_template_${hash.digest('hex').slice(0, 12)}`;
}

/** Migrated once for each state of the migrations; of processes that want it at the same time one makes it. */
async function ensureTemplate(client: pg.Client, url: string): Promise<string> {
  const name = templateName();
  await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      const draft = `${name}_draft`;
      await client.query(`DROP DATABASE IF EXISTS ${draft}`);
      await client.query(`CREATE DATABASE ${draft}`);
      await migrate({ url: named(url, draft), log });
      await client.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
  return name;
}

/** A database of one's own on a real PostgreSQL, migrated and otherwise empty. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url: base, stop } = await server();
  const name = `postern_test_${randomBytes(6).toString('hex')}`;
  const control = new pg.Client({ connectionString: named(base, 'postgres') });
  await control.connect();
  const template = await ensureTemplate(control, base);
  await control.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = named(base, name);
  const db = await openDatabase({ url, log });
  return {
    db,
    url,
    async drop() {
      await db.close();
      await control.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await control.end();
      await stop();
    },
  };
}
