import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../kernel/ids.ts';
import { sha256 } from '../crypto/digest.ts';
import { cleanExpired } from './clean-expired.ts';
import { createJobs } from './jobs.ts';
import { createLeases } from './lease.ts';

const now = new Date('2026-11-22T10:00:00Z');
const clock = { now: () => now };
const log = pino({ level: 'silent' });

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('leases', () => {
  const lease = (holder: string) => createLeases(database.db, holder);

  test('of 30 parallel takers one holds it, and can renew it', async () => {
    const taken = await Promise.all(Array.from({ length: 30 }, (_, index) => lease(`h${index}`).take('a', 60)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    const holder = `h${taken.indexOf(true)}`;
    expect(await lease(holder).take('a', 60)).toBe(true);
    expect(await lease('other').take('a', 60)).toBe(false);
    await lease('other').leave('a', 0);
    expect(await lease('other').take('a', 60)).toBe(false);
    await lease(holder).leave('a', 0);
    expect(await lease('other').take('a', 60)).toBe(true);
  });

  test('of a holder that died ends by itself', async () => {
    expect(await lease('dead').take('b', 0.05)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(await lease('other').take('b', 60)).toBe(true);
  });

  test('that was left for a while keeps everybody off, the last holder too', async () => {
    await lease('x').take('c', 60);
    await lease('x').leave('c', 60);
    expect(await lease('x').take('c', 60)).toBe(false);
  });
});

describe('jobs', () => {
  test('run in one process of several, go on after a failure, and stop at once', async () => {
    let runs = 0;
    let aborted = false;
    let hangs: (() => void) | undefined;
    const hanging = new Promise<void>((resolve) => {
      hangs = resolve;
    });
    const runners = Array.from({ length: 3 }, () => {
      const jobs = createJobs({ db: database.db, log });
      jobs.every('count', 0.3, async () => {
        runs++;
        throw new Error('a failure must not end the job');
      });
      return jobs;
    });
    runners[0]?.every('hang', 0.05, async (signal) => {
      hangs?.();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted = true;
    });
    for (const jobs of runners) jobs.start();
    await hanging;
    const began = performance.now();
    while (runs < 4) await new Promise((resolve) => setTimeout(resolve, 20));
    const intervals = (performance.now() - began) / 300;
    await Promise.all(runners.map((jobs) => jobs.stop()));
    expect(aborted).toBe(true);
    const atStop = runs;
    // Three processes without a lease would need little more than one interval.
    expect(intervals).toBeGreaterThan(2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(runs).toBe(atStop);
  });
});

describe('cleaning', () => {
  const ended = new Date(now.getTime() - 3_600_001);
  const fresh = new Date(now.getTime() - 3_500_000);

  beforeEach(async () => {
    const { prisma } = database.db;
    await prisma.$transaction([
      ...[prisma.token.deleteMany(), prisma.session.deleteMany(), prisma.signInAttempt.deleteMany()],
      ...[prisma.oneTimeLink.deleteMany(), prisma.abuseCounter.deleteMany()],
    ]);
  });

  test('deletes what ended an hour ago, in batches, and nothing else', async () => {
    const { prisma } = database.db;
    const token = (index: number, expiresAt: Date) => ({
      ...{ idHash: sha256(`t${index}`), kind: 'AccessToken', jti: `t${index}`, scopes: [] },
      ...{ createdAt: ended, expiresAt },
    });
    await prisma.token.createMany({ data: Array.from({ length: 2_300 }, (_, index) => token(index, ended)) });
    await prisma.token.create({ data: token(9_999, fresh) });

    const session = (name: string, expiresAt: Date) => ({
      ...{ idHash: sha256(name), uid: name, payload: {}, createdAt: ended, lastSeenAt: ended, expiresAt },
    });
    await prisma.session.createMany({ data: [session('old', ended), session('new', fresh)] });
    const consoleSession = (name: string, sessionUid: string, expiresAt: Date) => ({
      ...{ idHash: sha256(name), sessionUid, userId: newId(), acr: 'a', authTime: ended },
      ...{ createdAt: ended, lastSeenAt: ended, expiresAt },
    });
    await prisma.consoleSession.createMany({
      data: [
        consoleSession('c1', 'new', ended),
        consoleSession('c2', 'new', fresh),
        consoleSession('c3', 'old', fresh),
      ],
    });
    await prisma.signInAttempt.createMany({
      data: [ended, fresh].map((expiresAt, index) => ({
        ...{ uidHash: sha256(`a${index}`), userId: newId(), amr: [], passwordAt: ended, expiresAt },
      })),
    });
    await prisma.oneTimeLink.createMany({
      data: [ended, fresh].map((expiresAt, index) => ({
        ...{ id: newId(), kind: 'invite', tokenHash: sha256(`l${index}`), createdAt: ended, expiresAt },
      })),
    });
    await prisma.abuseCounter.createMany({
      data: [ended, fresh].map((expiresAt, index) => ({
        ...{ keyHash: sha256(`k${index}`), failures: 1, firstAt: ended, expiresAt },
      })),
    });

    expect(await cleanExpired({ db: database.db, clock })).toEqual({
      ...{ token: 2_300, session: 1, console_session: 1, sign_in_attempt: 1, one_time_link: 1, abuse_counter: 1 },
    });
    expect(await prisma.token.count()).toBe(1);
    expect((await prisma.session.findMany()).map((row) => row.uid)).toEqual(['new']);
    expect(await prisma.consoleSession.count()).toBe(1);
    expect(await prisma.signInAttempt.count()).toBe(1);
    expect(await prisma.oneTimeLink.count()).toBe(1);
    expect(await prisma.abuseCounter.count()).toBe(1);
    expect(await cleanExpired({ db: database.db, clock })).toEqual({});
  });

  test('ends between batches when it is told to', async () => {
    const signal = AbortSignal.abort();
    await database.db.prisma.abuseCounter.create({
      data: { keyHash: sha256('k'), failures: 1, firstAt: ended, expiresAt: ended },
    });
    expect(await cleanExpired({ db: database.db, clock, signal })).toEqual({});
  });
});
