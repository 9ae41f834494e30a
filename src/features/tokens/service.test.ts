import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { systemClock as clock } from '../../kernel/clock.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { createTokens } from './module.ts';
import type { TokenFilter, Tokens } from './service.ts';

const origin = { by: { type: 'system' as const, name: 'test' } };
const KINDS = ['AccessToken', 'ClientCredentials', 'RefreshToken', 'Grant'];
const start = Date.now();
let database: TestDatabase;
let tokens: Tokens;

/** Two rows share each moment, so that the order by key counts too. */
const row = (n: number) => ({
  idHash: Buffer.alloc(32, n),
  kind: KINDS[n % 4] ?? '',
  jti: `jti-${n}`,
  clientId: `app_${n % 3}`,
  grantId: n % 4 === 1 ? null : `grant-${n % 5}`,
  scopes: ['read'],
  audience: 'https://orders.example.com',
  createdAt: new Date(start - Math.floor(n / 2) * 1_000),
  expiresAt: new Date(start + 3_600_000),
});

beforeAll(async () => {
  database = await createTestDatabase();
  tokens = createTokens({ db: database.db, audit: createAudit({ db: database.db, clock }), clock });
  await database.db.prisma.token.createMany({ data: Array.from({ length: 120 }, (_, n) => row(n)) });
});
afterAll(() => database.drop());

async function walk(filter: TokenFilter): Promise<string[][]> {
  const pages: string[][] = [];
  let after: string | undefined;
  let back: string | undefined;
  do {
    const page = await tokens.list({ ...filter, after });
    pages.push(page.items.map(({ jti }) => jti));
    back = page.previous;
    after = page.next;
  } while (after !== undefined);
  for (const before of pages.slice(0, -1).reverse()) {
    const page = await tokens.list({ ...filter, after: back });
    expect(page.items.map(({ jti }) => jti)).toEqual(before);
    back = page.previous;
  }
  expect(back).toBeUndefined();
  return pages;
}

test('every token is listed once, forwards and backwards, and steps on the way are not', async () => {
  const pages = await walk({});
  expect(pages.map((page) => page.length)).toEqual([25, 25, 25, 15]);
  expect(new Set(pages.flat()).size).toBe(90);
  expect(pages.flat()).not.toContain('jti-3');
  expect((await walk({ kind: 'AccessToken', clientId: 'app_0' })).flat()).toHaveLength(10);
  expect((await tokens.list({ user: 'nobody@example.com' })).items).toEqual([]);
});

test('of 20 who revoke a refresh token at once one does, and its grant goes with it', async () => {
  const { db } = database;
  const results = await Promise.all(Array.from({ length: 20 }, () => tokens.revoke('jti-2', origin)));
  expect(results.filter(Boolean)).toHaveLength(1);
  expect(await db.prisma.token.count({ where: { grantId: 'grant-2', revokedAt: null } })).toBe(0);
  expect(await db.prisma.token.count({ where: { grantId: 'grant-1', revokedAt: { not: null } } })).toBe(0);
  expect(await db.prisma.auditEvent.count({ where: { action: 'token.revoke', targetId: 'jti-2' } })).toBe(1);
  expect((await tokens.byJti('jti-2'))?.state).toBe('revoked');
});

test('an access token goes alone', async () => {
  expect(await tokens.revoke('jti-4', origin)).toBe(true);
  expect(await database.db.prisma.token.count({ where: { grantId: 'grant-4', revokedAt: { not: null } } })).toBe(1);
});
