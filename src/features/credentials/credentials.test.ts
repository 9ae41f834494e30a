import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { argon2id, hash as argonHash } from 'argon2';
import { generate } from 'otplib';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../kernel/ids.ts';
import { createEnvelope } from '../../platform/crypto/envelope.ts';
import { createPasswordHasher } from '../../platform/crypto/password-hash.ts';
import { openDatabase } from '../../platform/db/database.ts';
import { createCredentials } from './module.ts';

const log = pino({ level: 'silent' });
const start = new Date('2026-11-22T10:00:10Z');
let now = start;
const clock = { now: () => now };
const envelope = createEnvelope(Buffer.alloc(32, 1));
const pepper = { id: 'p1', key: Buffer.alloc(32, 2) };
const hasher = createPasswordHasher({ pepper });
const recoveryKey = Buffer.alloc(32, 3);

let database: TestDatabase;
let userId: string;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

beforeEach(async () => {
  now = start;
  userId = await addUser();
});

async function addUser(): Promise<string> {
  const id = newId();
  const email = `${id}@example.com`;
  await database.db.prisma.user.create({
    data: { id, email, emailNormalized: email, name: 'Ada', status: 'active', createdAt: now, updatedAt: now },
  });
  return id;
}

const make = (db = database.db) => createCredentials({ db, clock, log, envelope, hasher, recoveryKey });
const later = (seconds: number) => {
  now = new Date(now.getTime() + seconds * 1000);
};
const codeOf = (secret: string, offset = 0) =>
  generate({ strategy: 'totp', secret, epoch: Math.floor(now.getTime() / 1000) + offset });

describe('passwords', () => {
  const password = 'purple turtle tram';

  test('are stored as a hash with the id of its pepper, and verified', async () => {
    const credentials = make();
    const hash = await credentials.hashPassword(password);
    await database.db.tx((tx) => credentials.setPassword(tx, userId, hash));
    const row = await database.db.prisma.password.findUniqueOrThrow({ where: { userId } });
    expect(row).toMatchObject({ hash, pepperId: 'p1' });
    expect(await credentials.verifyPassword(userId, password)).toBe(true);
    expect(await credentials.verifyPassword(userId, `${password} `)).toBe(false);
  });

  test('S63 an unknown person, one without a password and a wrong password cost the same work', async () => {
    const credentials = make();
    const hash = await credentials.hashPassword(password);
    await database.db.tx((tx) => credentials.setPassword(tx, userId, hash));
    const bare = await addUser();

    const row = await database.db.prisma.password.findUniqueOrThrow({ where: { userId } });
    const stored = { userId, hash: row.hash, pepperId: row.pepperId };

    const work = async (verifies: () => Promise<boolean>) => {
      const verify = jest.spyOn(hasher, 'verify');
      const burn = jest.spyOn(hasher, 'burn');
      const made = jest.spyOn(hasher, 'hash');
      const read = jest.spyOn(database.db, 'query');
      const ok = await verifies();
      const done = {
        ok,
        hashing: verify.mock.calls.length + burn.mock.calls.length,
        made: made.mock.calls.length,
        reads: read.mock.calls.length,
      };
      jest.restoreAllMocks();
      return done;
    };
    const expected = { ok: false, hashing: 1, made: 0 };
    for (const id of [userId, bare]) {
      expect(await work(() => credentials.verifyPassword(id, 'no'))).toEqual({ ...expected, reads: 1 });
    }
    for (const known of [stored, null]) {
      expect(await work(() => credentials.verifyStored(known, 'no'))).toEqual({ ...expected, reads: 0 });
    }
  });

  test('a weak hash is replaced at the next sign-in, unless the password was changed meanwhile', async () => {
    const credentials = make();
    const weak = await argonHash(password, { type: argon2id, memoryCost: 8192, timeCost: 1, secret: pepper.key });
    await database.db.tx((tx) => credentials.setPassword(tx, userId, weak));
    expect(await credentials.verifyPassword(userId, password)).toBe(true);
    const row = await database.db.prisma.password.findUniqueOrThrow({ where: { userId } });
    expect(row.hash).toContain('m=19456');
    expect(await credentials.verifyPassword(userId, password)).toBe(true);
  });

  test('a damaged hash and one of another pepper close that account only', async () => {
    const credentials = make();
    await database.db.tx((tx) => credentials.setPassword(tx, userId, 'damaged'));
    expect(await credentials.verifyPassword(userId, 'damaged')).toBe(false);
    const hash = await credentials.hashPassword(password);
    await database.db.prisma.password.update({ where: { userId }, data: { hash, pepperId: 'p0' } });
    expect(await credentials.verifyPassword(userId, password)).toBe(false);
  });
});

describe('TOTP', () => {
  async function enrolled(): Promise<string> {
    const credentials = make();
    const { secret } = credentials.totp.begin();
    const code = await codeOf(secret);
    expect(await database.db.tx((tx) => credentials.totp.confirm(tx, userId, secret, code))).toBe(true);
    return secret;
  }

  test('S42 the seed holds 160 random bits, and the URI says what every app understands', () => {
    const { totp } = make();
    const { secret, otpauthUri } = totp.begin();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(totp.begin().secret).not.toBe(secret);
    const uri = new URL(otpauthUri('ada@example.com'));
    expect(uri.protocol).toBe('otpauth:');
    expect(decodeURIComponent(uri.pathname)).toContain('Postern:ada@example.com');
    expect(uri.searchParams.get('secret')).toBe(secret);
    expect(uri.searchParams.get('issuer')).toBe('Postern');
  });

  test('is a factor only after a right code, and the seed stands sealed to its row', async () => {
    const credentials = make();
    const { secret } = credentials.totp.begin();
    expect(await database.db.tx((tx) => credentials.totp.confirm(tx, userId, secret, '000000'))).toBe(false);
    expect(await credentials.factorsOf(userId)).toEqual({ totp: null, recoveryLeft: 0 });
    await database.db.tx(async (tx) => credentials.totp.confirm(tx, userId, secret, await codeOf(secret)));
    expect((await credentials.factorsOf(userId)).totp).toEqual({ createdAt: now, lastUsedAt: null });

    const row = await database.db.prisma.totpFactor.findUniqueOrThrow({ where: { userId } });
    expect(Buffer.from(row.secretEnc).toString('latin1')).not.toContain(secret);
    expect(envelope.open(row.secretEnc, `totp_factor|secret_enc|${row.id}`).toString()).toBe(secret);
  });

  test('one step to either side is accepted, two are not', async () => {
    const { totp } = make();
    const secret = await enrolled();
    later(300);
    expect(await totp.redeem(userId, await codeOf(secret, -60))).toBe('wrong');
    expect(await totp.redeem(userId, await codeOf(secret, 60))).toBe('wrong');
    expect(await totp.redeem(userId, await codeOf(secret, -30))).toBe('accepted');
    expect(await totp.redeem(userId, await codeOf(secret))).toBe('accepted');
    expect(await totp.redeem(userId, await codeOf(secret, 30))).toBe('accepted');
  });

  test('S66 a code works once: not again, not the one of enrolment, not an older one', async () => {
    const { totp } = make();
    const secret = await enrolled();
    expect(await totp.redeem(userId, await codeOf(secret))).toBe('reused');
    later(60);
    const older = await codeOf(secret, -30);
    expect(await totp.verify(userId, await codeOf(secret))).toBe(true);
    expect(await totp.verify(userId, await codeOf(secret))).toBe(false);
    expect(await totp.redeem(userId, older)).toBe('reused');
  });

  test('S66 of 50 parallel tries of one code over two pools one is accepted', async () => {
    const secret = await enrolled();
    later(60);
    const code = await codeOf(secret);
    const other = await openDatabase({ url: database.url, log });
    try {
      const sides = [make(), make(other)];
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) => (sides[index % 2] as (typeof sides)[0]).totp.redeem(userId, code)),
      );
      expect(results.filter((result) => result === 'accepted')).toHaveLength(1);
      expect(results.filter((result) => result === 'reused')).toHaveLength(49);
    } finally {
      await other.close();
    }
  });

  test('a clock that was set back locks out and does not fail', async () => {
    const { totp } = make();
    const secret = await enrolled();
    later(-600);
    expect(await totp.redeem(userId, await codeOf(secret))).toBe('reused');
  });

  test.each(['', '12345', '1234567', 'abcdef', '１２３４５６', '12345\0', "' OR 1=1"])(
    'input that is no code is wrong: %j',
    async (code) => {
      await enrolled();
      expect(await make().totp.redeem(userId, code)).toBe('wrong');
      expect(await make().totp.redeem(await addUser(), code)).toBe('wrong');
    },
  );

  test('a seed that was moved from another row is refused', async () => {
    const secret = await enrolled();
    const { secretEnc } = await database.db.prisma.totpFactor.findUniqueOrThrow({ where: { userId } });
    userId = await addUser();
    await enrolled();
    await database.db.prisma.totpFactor.update({ where: { userId }, data: { secretEnc } });
    later(60);
    await expect(make().totp.redeem(userId, await codeOf(secret))).rejects.toMatchObject({ code: 'crypto.unreadable' });
  });
});

describe('recovery codes', () => {
  const create = () => database.db.tx((tx) => make().recovery.create(tx, userId));

  test('S68 ten codes of 80 bits, kept as keyed digests', async () => {
    const codes = await create();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
    const rows = await database.db.prisma.recoveryCode.findMany({ where: { userId } });
    expect(rows.map((row) => row.codeHash.length)).toEqual(Array(10).fill(32));
    expect((await make().factorsOf(userId)).recoveryLeft).toBe(10);
  });

  test('S68 each works once, in any spelling, for its owner', async () => {
    const { recovery, factorsOf } = make();
    const [first = '', second = ''] = await create();
    const stranger = await addUser();
    expect(await recovery.use(stranger, first)).toBe(false);
    expect(await recovery.use(userId, ` ${first.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o')} `)).toBe(true);
    expect(await recovery.use(userId, first)).toBe(false);
    expect(await recovery.use(userId, second.replaceAll('-', '').replaceAll('1', 'l'))).toBe(true);
    expect((await factorsOf(userId)).recoveryLeft).toBe(8);
    for (const wrong of ['', '-', 'AAAA-AAAA-AAAA-AAAA', `${first}0`, '\0'.repeat(16)]) {
      expect(await recovery.use(userId, wrong)).toBe(false);
    }
  });

  test('S68 of 50 parallel tries of one code one wins', async () => {
    const [code = ''] = await create();
    const other = await openDatabase({ url: database.url, log });
    try {
      const sides = [make(), make(other)];
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) => (sides[index % 2] as (typeof sides)[0]).recovery.use(userId, code)),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
    } finally {
      await other.close();
    }
  });

  test('new codes end the old ones, and a reset ends all factors', async () => {
    const credentials = make();
    const [old = ''] = await create();
    const [fresh = ''] = await create();
    expect(await credentials.recovery.use(userId, old)).toBe(false);
    expect(await database.db.tx((tx) => credentials.resetFactors(tx, userId))).toBe(true);
    expect(await credentials.recovery.use(userId, fresh)).toBe(false);
    expect(await credentials.factorsOf(userId)).toEqual({ totp: null, recoveryLeft: 0 });
    expect(await database.db.tx((tx) => credentials.resetFactors(tx, userId))).toBe(false);
  });
});
