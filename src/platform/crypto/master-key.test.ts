import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createEnvelope } from './envelope.ts';
import { loadInstallationSecrets } from './installation.ts';
import { loadMasterKey, openCanary } from './master-key.ts';
import { createSettingStore } from './setting-store.ts';

const log = pino({ level: 'silent' });

describe('master key', () => {
  let dataDir: string;
  let path: string;
  const load = (dataExists: boolean, masterKey?: Buffer) => loadMasterKey({ dataDir, masterKey }, { dataExists, log });

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'postern-key-'));
    path = join(dataDir, 'master.key');
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  test('is made once on the first start, readable by nobody else', () => {
    const key = load(false);
    expect(key).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o400);
    expect(readdirSync(dataDir)).toEqual(['master.key']);
    expect(load(false)).toEqual(key);
    expect(load(true)).toEqual(key);
  });

  test('is never made where data exists', () => {
    expect(() => load(true)).toThrow(expect.objectContaining({ code: 'config.master_key_missing' }));
    expect(existsSync(path)).toBe(false);
  });

  test('from the settings goes before the file, and writes none', () => {
    expect(load(true, Buffer.alloc(32, 5))).toEqual(Buffer.alloc(32, 5));
    expect(existsSync(path)).toBe(false);
  });

  test('is not replaced where the file is damaged', () => {
    writeFileSync(path, 'short', { mode: 0o400 });
    expect(() => load(false)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
    expect(readFileSync(path, 'utf8')).toBe('short');
  });

  test('is refused where others may read it', () => {
    load(false);
    chmodSync(path, 0o644);
    expect(() => load(true)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });
});

describe('canary and installation secrets', () => {
  let database: TestDatabase;
  const envelope = createEnvelope(Buffer.alloc(32, 1));
  const other = createEnvelope(Buffer.alloc(32, 2));

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(() => database.db.prisma.setting.deleteMany());

  test('the canary lets only the key in that the database was sealed with', async () => {
    const { db } = database;
    expect(await createSettingStore(db, systemClock).anySealed()).toBe(false);
    await openCanary(createSettingStore(db, systemClock), envelope);
    await openCanary(createSettingStore(db, systemClock), envelope);
    expect(await createSettingStore(db, systemClock).anySealed()).toBe(true);
    await expect(openCanary(createSettingStore(db, systemClock), other)).rejects.toMatchObject({
      code: 'config.wrong_master_key',
    });
    expect(await db.prisma.setting.count()).toBe(1);
  });

  test('a canary that is gone from sealed data is not made anew', async () => {
    const { db } = database;
    await openCanary(createSettingStore(db, systemClock), envelope);
    await loadInstallationSecrets(createSettingStore(db, systemClock), envelope);
    await db.prisma.setting.delete({ where: { name: 'canary' } });
    await expect(openCanary(createSettingStore(db, systemClock), other)).rejects.toMatchObject({
      code: 'config.wrong_master_key',
    });
    expect(await db.prisma.setting.findUnique({ where: { name: 'canary' } })).toBeNull();
  });

  test('of two first starts with different keys only one goes on', async () => {
    const { db } = database;
    const starts = await Promise.allSettled([
      openCanary(createSettingStore(db, systemClock), envelope),
      openCanary(createSettingStore(db, systemClock), other),
    ]);
    expect(starts.map((start) => start.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('secrets are made once, also by processes that start together, and stand sealed', async () => {
    const { db } = database;
    const loaded = await Promise.all(
      Array.from({ length: 8 }, () => loadInstallationSecrets(createSettingStore(db, systemClock), envelope)),
    );
    const [first] = loaded;
    for (const secrets of loaded) expect(secrets).toEqual(first);
    expect(await loadInstallationSecrets(createSettingStore(db, systemClock), envelope)).toEqual(first);
    expect(first?.csrfKey).toHaveLength(32);
    expect(first?.pepper.key).toHaveLength(32);
    expect(first?.pepper.id).not.toBe('');
    expect(first?.cookieKeys[0]).toHaveLength(43);

    const rows = await db.prisma.setting.findMany();
    expect(rows.every((row) => row.value === null)).toBe(true);
    const stored = Buffer.concat(rows.map((row) => Buffer.from(row.valueEnc ?? []))).toString('latin1');
    expect(stored).not.toContain(first?.cookieKeys[0]);
  });

  test('a secret that was moved to another name is refused', async () => {
    const { db } = database;
    await loadInstallationSecrets(createSettingStore(db, systemClock), envelope);
    const csrf = await db.prisma.setting.findUniqueOrThrow({ where: { name: 'csrf_key' } });
    await db.prisma.setting.update({ where: { name: 'counter_key' }, data: { valueEnc: csrf.valueEnc } });
    await expect(loadInstallationSecrets(createSettingStore(db, systemClock), envelope)).rejects.toMatchObject({
      code: 'crypto.unreadable',
    });
  });
});
