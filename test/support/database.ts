import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { type Database, openDatabase } from '../../src/platform/db/database.ts';
import { onDatabase } from './test-server.ts';

export interface TestDatabase {
  db: Database;
  url: string;
  drop(): Promise<void>;
}

function fromSetup(name: 'TEST_SERVER_URL' | 'TEST_TEMPLATE' | 'TEST_FOLDER'): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: tests are run by "npm test", which starts their database first`);
  return value;
}

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: fromSetup('TEST_SERVER_URL') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A copy of the migrated template: an address that only this test knows. */
export async function copyTemplate(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `postern_test_${randomBytes(6).toString('hex')}`;
  await onServer((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${fromSetup('TEST_TEMPLATE')}`));
  return {
    url: onDatabase(fromSetup('TEST_SERVER_URL'), name),
    drop: () => onServer(async (client) => void (await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  };
}

/** A folder that the end of the run removes. */
export function testFolder(): string {
  return fromSetup('TEST_FOLDER');
}

/** A database of one's own on a real PostgreSQL, migrated and otherwise empty. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, drop } = await copyTemplate();
  const db = await openDatabase({ url, log: pino({ level: 'silent' }) });
  return {
    db,
    url,
    async drop() {
      await db.close();
      await drop();
    },
  };
}
