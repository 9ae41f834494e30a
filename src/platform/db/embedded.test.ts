import { existsSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { testFolder } from '../../../test/support/database.ts';
import { startEmbedded } from './embedded.ts';

const log = pino({ level: 'silent' });

function open(dataDir: string) {
  return startEmbedded({ dataDir, log, durable: false });
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function pidFile(dataDir: string): string {
  return path.join(realpathSync(path.join(dataDir, 'postgres')), 'data/postmaster.pid');
}

test('processes that start at once share one server, and the last one out stops it', async () => {
  const dataDir = mkdtempSync(path.join(testFolder(), 'embedded-'));
  const [first, second, third] = await Promise.all([open(dataDir), open(dataDir), open(dataDir)]);
  expect(second.url).toBe(first.url);
  expect(third.url).toBe(first.url);
  await Promise.all([first.stop(), second.stop()]);
  expect(await answers(third.url)).toBe(true);
  await third.stop();
  expect(await answers(third.url)).toBe(false);
  expect(existsSync(pidFile(dataDir))).toBe(false);
}, 60_000);

test('a killed server is started again at the same address', async () => {
  const dataDir = mkdtempSync(path.join(testFolder(), 'embedded-'));
  const embedded = await open(dataDir);
  try {
    process.kill(Number(readFileSync(pidFile(dataDir), 'utf8').split('\n')[0]), 'SIGKILL');
    const deadline = Date.now() + 10_000;
    await wait(200);
    while (!(await answers(embedded.url)) && Date.now() < deadline) await wait(100);
    expect(await answers(embedded.url)).toBe(true);
  } finally {
    await embedded.stop();
  }
}, 60_000);

test('a lock file that a crash left behind does not stop the start, though its number belongs to another process', async () => {
  const dataDir = mkdtempSync(path.join(testFolder(), 'embedded-'));
  await (await open(dataDir)).stop();
  writeFileSync(pidFile(dataDir), `${process.pid}\n/elsewhere\n0\n1\n\n127.0.0.1\n\nready\n`);
  const embedded = await open(dataDir);
  expect(await answers(embedded.url)).toBe(true);
  await embedded.stop();
}, 60_000);
