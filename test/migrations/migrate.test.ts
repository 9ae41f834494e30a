import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { listMigrations, migrate } from '../../src/platform/db/migrate.ts';
import { testFolder } from '../support/database.ts';
import { onDatabase } from '../support/test-server.ts';

const root = path.resolve(import.meta.dirname, '../..');
const log = pino({ level: 'silent' });
const names = listMigrations().map(({ name }) => name);

let control: pg.Client;
let url: string;
let counter = 0;

beforeAll(async () => {
  control = new pg.Client({ connectionString: process.env.TEST_SERVER_URL });
  await control.connect();
});

afterAll(() => control.end());

beforeEach(async () => {
  counter += 1;
  const database = `postern_migrations_${process.pid}_${counter}`;
  await control.query(`CREATE DATABASE ${database}`);
  url = onDatabase(process.env.TEST_SERVER_URL ?? '', database);
});

async function sql<R extends pg.QueryResultRow>(text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The real command line of Prisma, on the engine that comes with the dependencies. */
async function prisma(...args: string[]): Promise<{ status: number; output: string }> {
  const child = spawn(process.execPath, [path.join(root, 'scripts/run.mjs'), 'prisma', ...args], {
    cwd: root,
    env: { ...process.env, DATABASE_URL: url, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [status] = (await once(child, 'close')) as [number];
  return { status, output };
}

function folderWith(script: string): string {
  const folder = mkdtempSync(path.join(testFolder(), 'migrations-'));
  cpSync(path.join(root, 'prisma/migrations'), folder, { recursive: true });
  const added = path.join(folder, '29990101000000_added');
  mkdirSync(added);
  writeFileSync(path.join(added, 'migration.sql'), script);
  return folder;
}

describe('with the command line of Prisma', () => {
  test('it agrees with what was migrated at start', async () => {
    expect(await migrate({ url, log })).toEqual({ applied: names });
    const status = await prisma('migrate', 'status');
    expect(status.output).toContain('Database schema is up to date!');
    expect(status.status).toBe(0);
    const deploy = await prisma('migrate', 'deploy');
    expect(deploy.output).toContain('No pending migrations to apply.');
    expect(deploy.status).toBe(0);
  }, 60_000);

  test('what it deployed needs no migration at start', async () => {
    expect((await prisma('migrate', 'status')).status).toBe(1);
    const deploy = await prisma('migrate', 'deploy');
    expect(deploy.output).toContain('All migrations have been successfully applied.');
    expect(await migrate({ url, log })).toEqual({ applied: [] });
  }, 60_000);
});

test('of several processes that start at once, one migrates', async () => {
  const results = await Promise.all(Array.from({ length: 6 }, () => migrate({ url, log })));
  expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 0, 0, 0, names.length]);
  expect(await sql('SELECT migration_name FROM _prisma_migrations')).toHaveLength(names.length);
});

test('a database that holds something else is refused and left as it is', async () => {
  await sql('CREATE TABLE theirs (id int)');
  await expect(migrate({ url, log })).rejects.toMatchObject({
    code: 'database.not_empty',
    detail: expect.stringContaining('DATABASE_URL'),
  });
  expect(await sql("SELECT to_regclass('_prisma_migrations') AS found")).toEqual([{ found: null }]);
});

test('an edited migration is refused', async () => {
  await migrate({ url, log });
  await sql("UPDATE _prisma_migrations SET checksum = repeat('0', 64)");
  await expect(migrate({ url, log })).rejects.toMatchObject({ code: 'database.migration_edited' });
});

test('a migration that was started and did not end is refused', async () => {
  await migrate({ url, log });
  await sql('UPDATE _prisma_migrations SET finished_at = NULL');
  await expect(migrate({ url, log })).rejects.toMatchObject({
    code: 'database.migration_unfinished',
    detail: expect.stringContaining(names[0] ?? ''),
  });
});

test('a failing migration leaves nothing but its record, and is tried again', async () => {
  const broken = folderWith('CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nSELECT 1 / 0;\n');
  await expect(migrate({ url, log, folder: broken })).rejects.toMatchObject({ code: 'database.migration_failed' });
  expect(await sql("SELECT to_regclass('half') AS found")).toEqual([{ found: null }]);
  const [row] = await sql<{ logs: string; rolled_back_at: Date | null }>(
    "SELECT logs, rolled_back_at FROM _prisma_migrations WHERE migration_name LIKE '%added'",
  );
  expect(row?.logs).toContain('division by zero');
  expect(row?.rolled_back_at).not.toBeNull();

  const mended = folderWith(
    "CREATE TABLE whole (id int);\n-- ends without a semicolon\nCOMMENT ON TABLE whole IS 'a;b'",
  );
  expect(await migrate({ url, log, folder: mended })).toEqual({ applied: ['29990101000000_added'] });
  // The program before it runs on beside it (rolling upgrade).
  expect(await migrate({ url, log })).toEqual({ applied: [] });
});

test('every state that a column can hold is checked by the database too', async () => {
  await migrate({ url, log });
  const insert = (status: string) =>
    sql(
      `INSERT INTO user_account (id, email, email_normalized, name, status, created_at, updated_at)
       VALUES (gen_random_uuid(), '${status}@x', '${status}@x', 'X', '${status}', now(), now()) RETURNING id`,
    );
  expect(await insert('active')).toHaveLength(1);
  await expect(insert('gone')).rejects.toMatchObject({ code: '23514' });
  await expect(
    sql(
      `INSERT INTO assignment (id, role_id, granted_by, created_at)
       SELECT gen_random_uuid(), id, 'system', now() FROM role WHERE name = 'admin'`,
    ),
  ).rejects.toMatchObject({ code: '23514', constraint: 'assignment_one_holder_check' });
});
