import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { openDatabase } from '../db/database.ts';
import { addressGroup } from './address.ts';
import { createRequestLimit } from './request-limits.ts';
import { createAttemptLimits, type Subject } from './sign-in-limits.ts';

const start = new Date('2026-11-22T10:00:00Z');
let now = start;
const clock = { now: () => now };
const later = (seconds: number) => {
  now = new Date(now.getTime() + seconds * 1000);
};
const key = Buffer.alloc(32, 9);
const log = pino({ level: 'silent' });
const tooMany = expect.objectContaining({ code: 'limits.too_many', status: 429 });

let database: TestDatabase;
const limited: string[] = [];
function make(db = database.db) {
  const limits = createAttemptLimits({ db, clock, key });
  limits.onLimited((limiter) => limited.push(limiter));
  return limits;
}

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  now = start;
  limited.length = 0;
  await database.db.prisma.abuseCounter.deleteMany();
});

let count = 0;
/** Every try from another address, as a distributed attack comes. */
const subject = (overrides: Partial<Subject> = {}): Subject => ({
  kind: 'password',
  account: 'ada@example.com',
  address: `10.${(++count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`,
  ...overrides,
});

async function fail(times: number, overrides: Partial<Subject> = {}): Promise<void> {
  for (let index = 0; index < times; index++) {
    const one = subject(overrides);
    await make().check(one);
    await make().failed(one);
  }
}

describe('tries to sign in', () => {
  test('five failures are free, then the waits grow', async () => {
    await fail(5);
    const waits: number[] = [];
    for (let index = 0; index < 9; index++) {
      const refusal = (await make()
        .check(subject())
        .catch((error: unknown) => error)) as { code: string; retryAfter: number };
      expect(refusal.code).toBe('limits.too_many');
      waits.push(refusal.retryAfter);
      later(refusal.retryAfter - 1);
      await expect(make().check(subject())).rejects.toEqual(tooMany);
      later(1);
      await fail(1);
    }
    expect(waits).toEqual([15, 30, 60, 120, 240, 480, 900, 900, 900]);
    expect(new Set(limited)).toEqual(new Set(['sign_in_account']));
  });

  test('S61 of 50 parallel tries over two pools five get to be verified', async () => {
    const other = await openDatabase({ url: database.url, log });
    try {
      const sides = [make(), make(other)];
      const tries = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => (sides[index % 2] as (typeof sides)[0]).check(subject())),
      );
      expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(5);
      for (const one of tries) if (one.status === 'rejected') expect(one.reason).toEqual(tooMany);
    } finally {
      await other.close();
    }
  });

  test('S61 after 100 failures in a row the account stays closed, however long one waits', async () => {
    let verified = 0;
    for (let index = 0; index < 130; index++) {
      await make()
        .check(subject())
        .then(
          () => verified++,
          () => undefined,
        );
      later(901);
    }
    expect(verified).toBe(100);
    later(30 * 86_400);
    await expect(make().check(subject())).rejects.toEqual(tooMany);
    await make().clear(' ADA@example.com');
    await make().check(subject());
  });

  test('S61 a device that signed in before has a counter of its own', async () => {
    await fail(5);
    await expect(make().check(subject())).rejects.toEqual(tooMany);
    await make().check(subject({ device: 'known' }));
    await fail(4, { device: 'known' });
    await expect(make().check(subject({ device: 'known' }))).rejects.toEqual(tooMany);
  });

  test('S61 an admin opens a closed account again, also on devices that are closed themselves', async () => {
    for (const device of [undefined, 'known']) {
      for (let index = 0; index < 100; index++) {
        await make().check(subject(device === undefined ? {} : { device }));
        later(901);
      }
    }
    expect(await make().lockOf('Ada@example.com')).toMatchObject({ closed: true });
    expect(await make().lockOf('ada2@example.com')).toBeNull();
    await fail(1, { account: 'ada2@example.com' });
    await database.db.tx((tx) => make().clear('ADA@example.com', tx));
    expect(await make().lockOf('ada@example.com')).toBeNull();
    await make().check(subject());
    await make().check(subject({ device: 'known' }));
    expect(await database.db.prisma.abuseCounter.count({ where: { failures: 100 } })).toBe(0);
  });

  test('what an account waits for is told, and that it is over', async () => {
    await fail(4);
    expect(await make().lockOf('ada@example.com')).toBeNull();
    await fail(1, { kind: 'password' });
    expect(await make().lockOf('ada@example.com')).toEqual({ closed: false, until: new Date(now.getTime() + 15_000) });
    later(15);
    expect(await make().lockOf('ada@example.com')).toBeNull();
  });

  test('S61 a device that signed in before is not held back by others at its address', async () => {
    const address = '192.0.2.77';
    for (let index = 0; index < 50; index++) await make().check(subject({ account: `p${index}@x.test`, address }));
    await expect(make().check(subject({ address }))).rejects.toEqual(tooMany);
    const mine = subject({ address, device: 'known' });
    await make().check(mine);
    await make().succeeded(mine);
    // Nor does it take tries away from the others there.
    later(900);
    await fail(5, { address, device: 'known' });
    for (let index = 0; index < 50; index++) await make().check(subject({ account: `q${index}@x.test`, address }));
  });

  test('S61 a device that signed in before has 50 failures in 15 minutes, from whatever address', async () => {
    for (let index = 0; index < 50; index++) {
      await make().check(subject({ device: 'known' }));
      if (index === 49) break;
      // A right password between the wrong ones starts the account's counter anew, not the device's.
      const right = subject({ device: 'known' });
      await make().check(right);
      await make().succeeded(right);
    }
    await expect(make().check(subject({ device: 'known' }))).rejects.toMatchObject({
      code: 'limits.too_many',
      retryAfter: 900,
    });
    expect(limited).toEqual(['sign_in_device']);
    await make().check(subject({ device: 'other' }));
    later(900);
    await make().check(subject({ device: 'known' }));
  });

  test('S62 spellings of a login share one counter', async () => {
    const spellings = [
      'ada@example.com',
      'ADA@EXAMPLE.COM',
      ' Ada@Example.com ',
      'ａｄａ@example.com',
      'ada@ｅxample.com',
    ];
    for (const account of spellings) await make().check(subject({ account }));
    await expect(make().check(subject({ account: 'aDa@example.com' }))).rejects.toEqual(tooMany);
    await make().check(subject({ account: 'ada2@example.com' }));
  });

  test('S62 an address has 50 failures in 15 minutes, IPv6 by /64', async () => {
    for (let index = 0; index < 50; index++) {
      await make().check(subject({ account: `p${index}@example.com`, address: `2001:db8:1:2:${index}::1` }));
    }
    const more = (address: string) => make().check(subject({ account: 'new@example.com', address }));
    await expect(more('2001:db8:1:2:ffff::9')).rejects.toMatchObject({ code: 'limits.too_many', retryAfter: 900 });
    await more('2001:db8:1:3::1');
    later(900);
    await more('2001:db8:1:2::1');
    expect(limited).toEqual(['sign_in_address']);
  });

  test('S61 an address over its limit closes no account', async () => {
    for (let index = 0; index < 50; index++)
      await make().check(subject({ account: `p${index}@x.test`, address: '192.0.2.1' }));
    for (let index = 0; index < 20; index++) {
      await expect(make().check(subject({ address: '192.0.2.1' }))).rejects.toEqual(tooMany);
    }
    await make().check(subject());
  });

  test('S67 password, TOTP and recovery codes are counted apart', async () => {
    await fail(5);
    await expect(make().check(subject())).rejects.toEqual(tooMany);
    await make().check(subject({ kind: 'totp' }));
    await make().check(subject({ kind: 'recovery' }));
  });

  test('a success starts the account anew and gives the address its try back', async () => {
    await fail(4);
    for (let index = 0; index < 60; index++) {
      const one = subject({ address: '192.0.2.7' });
      await make().check(one);
      await make().succeeded(one);
    }
    await fail(5);
    await expect(make().check(subject())).rejects.toEqual(tooMany);
  });

  test('a try without a verdict does not count', async () => {
    for (let index = 0; index < 60; index++) {
      const one = subject({ address: '192.0.2.8' });
      await make().check(one);
      await make().release(one);
    }
    await fail(5);
    await expect(make().check(subject())).rejects.toEqual(tooMany);
  });

  test('S63 a login that nobody has is counted like any other', async () => {
    await fail(5, { account: 'nobody@example.com' });
    await expect(make().check(subject({ account: 'nobody@example.com' }))).rejects.toEqual(tooMany);
  });

  test('counters name nobody', async () => {
    await make().check(subject({ address: '192.0.2.9' }));
    const rows = JSON.stringify(
      (await database.db.prisma.abuseCounter.findMany()).map((row) => Buffer.from(row.keyHash).toString('latin1')),
    );
    expect(rows).not.toMatch(/ada|192/);
  });

  test('S93 without the database no try passes', async () => {
    const gone = await openDatabase({ url: 'postgresql://nobody@127.0.0.1:9/none', log });
    await expect(make(gone).check(subject())).rejects.toMatchObject({ status: 503 });
    await gone.close();
  });
});

describe('addresses', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('%s counts as %s', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});

describe('requests', () => {
  test('are limited per key, with the seconds to wait', async () => {
    const names: string[] = [];
    const limit = createRequestLimit({ points: 3, seconds: 60, name: 'token', onLimited: (name) => names.push(name) });
    for (let index = 0; index < 3; index++) await limit.take('client-a');
    await expect(limit.take('client-a')).rejects.toMatchObject({
      code: 'limits.too_many',
      status: 429,
      retryAfter: 60,
    });
    await limit.take('client-b');
    expect(names).toEqual(['token']);
  });
});
