import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../kernel/ids.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { createEnvelope } from '../../platform/crypto/envelope.ts';
import { openDatabase, type Tx } from '../../platform/db/database.ts';
import { type Accounts, createAccounts } from './module.ts';
import { normalizeEmail } from './service.ts';

const start = new Date('2026-11-22T10:00:00Z');
let now = start;
const clock = { now: () => now };
const envelope = createEnvelope(Buffer.alloc(32, 1));
const origin = { by: { type: 'system' as const } };

let database: TestDatabase;
let accounts: Accounts;
let ended: string[];

function make(db = database.db): Accounts {
  const audit = createAudit({ db, clock });
  return createAccounts({ db, audit, clock, envelope, endSessions: async (_tx: Tx, id) => ended.push(id) });
}

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

beforeEach(async () => {
  now = start;
  ended = [];
  accounts = make();
  await database.db.prisma.user.deleteMany();
  await database.db.prisma.oneTimeLink.deleteMany();
  await database.db.prisma.auditEvent.deleteMany();
});

const add = (email: string, status: 'active' | 'invited' = 'active') =>
  database.db.tx((tx) => accounts.create(tx, { email, name: 'Ada', status }));

async function addAdmin(email: string): Promise<string> {
  const { id } = await add(email);
  await database.db.tx((tx) => accounts.assignRole(tx, id, 'admin', 'test'));
  return id;
}

const events = () => database.db.prisma.auditEvent.findMany({ select: { action: true, targetId: true } });

describe('people', () => {
  test('S62 every spelling of an address finds the same person, and can be taken once', async () => {
    const made = await add('  Ada.Lovelace@Example.COM ');
    expect(made.email).toBe('Ada.Lovelace@Example.COM');
    for (const login of ['ada.lovelace@example.com', ' ADA.LOVELACE@EXAMPLE.COM', 'ａｄａ.lovelace@example.com']) {
      expect((await accounts.findByLogin(login))?.id).toBe(made.id);
      await expect(add(login)).rejects.toMatchObject({
        code: 'users.email_taken',
        status: 409,
        fields: { email: { code: 'users.email_taken' } },
      });
    }
    expect(normalizeEmail('ﬁn@example.com')).toBe('fin@example.com');
    expect(await accounts.findByLogin('somebody@example.com')).toBeNull();
  });

  test('of 20 parallel creations of one address one succeeds', async () => {
    const made = await Promise.allSettled(Array.from({ length: 20 }, () => add('one@example.com')));
    expect(made.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  test('text that is no id is nobody', async () => {
    expect(await accounts.byId("' OR 1=1")).toBeNull();
    expect(await accounts.byId(newId())).toBeNull();
  });

  test('S85 roles are what is held now', async () => {
    const id = await addAdmin('admin@example.com');
    expect(await accounts.rolesOf(id)).toEqual(['admin']);
    await database.db.prisma.assignment.updateMany({ data: { expiresAt: new Date(Date.now() - 1000) } });
    expect(await accounts.rolesOf(id)).toEqual([]);
    await expect(database.db.tx((tx) => accounts.assignRole(tx, id, 'no such role', 'test'))).rejects.toMatchObject({
      code: 'roles.unknown',
    });
  });

  test('an invitation is accepted by one', async () => {
    const { id } = await add('invited@example.com', 'invited');
    const results = await Promise.all(
      Array.from({ length: 10 }, () => database.db.tx((tx) => accounts.activate(tx, id))),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await database.db.tx((tx) => accounts.lockInvited(tx, id))).toBe(false);
  });
});

describe('disabling', () => {
  test('S78 ends what is open, in one transaction with its audit event', async () => {
    const { id } = await add('ada@example.com');
    await accounts.disable(id, origin);
    await accounts.disable(id, origin);
    expect(await accounts.byId(id)).toMatchObject({ status: 'disabled' });
    expect(ended).toEqual([id]);
    expect(await events()).toEqual([{ action: 'user.disable', targetId: id }]);
  });

  test('is undone as a whole when its sessions cannot be ended', async () => {
    const { id } = await add('ada@example.com');
    const { db } = database;
    const failing = createAccounts({
      db,
      audit: createAudit({ db, clock }),
      clock,
      envelope,
      endSessions: () => Promise.reject(new Error('no')),
    });
    await expect(failing.disable(id, origin)).rejects.toThrow('no');
    expect(await accounts.byId(id)).toMatchObject({ status: 'active' });
    expect(await events()).toEqual([]);
  });

  test('takes open invitations along, and enabling leads back to where the account was', async () => {
    const { id } = await add('ada@example.com', 'invited');
    const { token } = await database.db.tx((tx) =>
      accounts.links.createLink(tx, { kind: 'invite', userId: id, ttlSeconds: 60 }),
    );
    await accounts.disable(id, origin);
    expect(await accounts.links.peekLink('invite', token)).toBeNull();
    await accounts.enable(id, origin);
    expect(await accounts.byId(id)).toMatchObject({ status: 'invited' });

    const hash = { userId: id, hash: 'x', pepperId: 'p', updatedAt: now };
    await database.db.prisma.password.create({ data: hash });
    await accounts.disable(id, origin);
    await accounts.enable(id, origin);
    expect(await accounts.byId(id)).toMatchObject({ status: 'active' });
    expect((await events()).map((event) => event.action)).toEqual([
      ...['user.disable', 'user.enable', 'user.disable', 'user.enable'],
    ]);
  });

  test('of two admins who disable each other at the same time one stays', async () => {
    const ids = await Promise.all([addAdmin('a@example.com'), addAdmin('b@example.com')]);
    const results = await Promise.allSettled(ids.map((id) => accounts.disable(id, origin)));
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find((result) => result.status === 'rejected')).toMatchObject({
      reason: { code: 'users.last_admin' },
    });
    expect(await accounts.hasAdmin()).toBe(true);
    expect(ended).toHaveLength(1);
  });

  test('S83 of somebody who does not exist is a 404', async () => {
    await expect(accounts.disable(newId(), origin)).rejects.toMatchObject({ code: 'not_found', status: 404 });
    await expect(accounts.disable('x', origin)).rejects.toMatchObject({ code: 'not_found', status: 404 });
  });
});

describe('one-time links', () => {
  const create = (ttlSeconds = 60, userId?: string) =>
    database.db.tx((tx) =>
      accounts.links.createLink(tx, { kind: 'invite', ttlSeconds, ...(userId ? { userId } : {}) }),
    );

  test('S42 the token holds 256 bits, and only its digest is kept', async () => {
    const { token } = await create();
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    const row = await database.db.prisma.oneTimeLink.findFirstOrThrow();
    expect(row.tokenEnc).toBeNull();
    expect(Buffer.from(row.tokenHash).toString('base64url')).not.toBe(token);
  });

  test('S72 works once, and 50 parallel claims over two pools have one winner', async () => {
    const { id } = await add('ada@example.com', 'invited');
    const link = await create(60, id);
    const other = await openDatabase({ url: database.url, log: pino({ level: 'silent' }) });
    try {
      const sides = [database.db, other];
      const claims = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          accounts.links.claimLink((sides[index % 2] as typeof other).prisma, 'invite', link.token),
        ),
      );
      expect(claims.filter((claim) => claim !== null)).toEqual([{ id: link.id, userId: id }]);
    } finally {
      await other.close();
    }
  });

  test('S72 ends exactly at its time', async () => {
    const { token } = await create(60);
    now = new Date(start.getTime() + 59_999);
    expect(await accounts.links.peekLink('invite', token)).not.toBeNull();
    now = new Date(start.getTime() + 60_000);
    expect(await accounts.links.peekLink('invite', token)).toBeNull();
    expect(await database.db.tx((tx) => accounts.links.claimLink(tx, 'invite', token))).toBeNull();
  });

  test('a link of one kind opens no other door, and a claim that is rolled back was none', async () => {
    const { token } = await create();
    expect(await accounts.links.peekLink('setup', token)).toBeNull();
    expect(await database.db.tx((tx) => accounts.links.claimLink(tx, 'ticket', token))).toBeNull();
    await expect(
      database.db.tx(async (tx) => {
        await accounts.links.claimLink(tx, 'invite', token);
        throw new Error('later failure');
      }),
    ).rejects.toThrow('later failure');
    expect(await database.db.tx((tx) => accounts.links.claimLink(tx, 'invite', token))).not.toBeNull();
  });

  test('the setup link can be shown again until there is an admin, is one for all, and stands sealed', async () => {
    const shown = await Promise.all(Array.from({ length: 5 }, () => accounts.links.ensureSetupLink(3600)));
    expect(new Set(shown).size).toBe(1);
    expect(await accounts.links.currentSetupLink()).toBe(shown[0]);
    expect(await database.db.prisma.oneTimeLink.count()).toBe(1);

    now = new Date(start.getTime() + 3_600_000);
    expect(await accounts.links.currentSetupLink()).toBeNull();
    const next = await accounts.links.ensureSetupLink(3600);
    expect(next).not.toBe(shown[0]);

    await database.db.tx((tx) => accounts.links.claimLink(tx, 'setup', next ?? ''));
    expect((await database.db.prisma.oneTimeLink.findMany()).every((row) => row.tokenEnc === null)).toBe(true);
    await addAdmin('admin@example.com');
    expect(await accounts.links.ensureSetupLink(3600)).toBeNull();
  });
});
