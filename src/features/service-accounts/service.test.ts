import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { createOutgoing } from '../../platform/outgoing/outgoing.ts';
import { createAccess } from '../access/module.ts';
import { createClients } from '../clients/module.ts';
import { createTeams } from '../teams/module.ts';
import { createTokens } from '../tokens/module.ts';
import { createServiceAccounts } from './module.ts';
import type { ServiceAccounts } from './service.ts';

const origin = { by: { type: 'system' as const, name: 'test' } };
const READ = 'https://orders.example.com#orders:read';
let now = Date.now();
const clock: Clock = { now: () => new Date(now) };
let database: TestDatabase;
let accounts: ServiceAccounts;
const heard: (string | undefined)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  const audit = createAudit({ db, clock });
  const { apis } = createAccess({ db, audit, clock, signingKey: async () => undefined });
  const shared = {
    db,
    audit,
    clock,
    permissionIds: apis.permissionIds,
    ownerTeamId: createTeams({ db, audit, clock }).ownerId,
  };
  const revokeTokens = createTokens(shared).revokeOfClient;
  const parts = {
    certificates: true,
    backchannelAuthentication: false,
    authorizationDetailTypes: async () => [],
    signingKey: async () => undefined,
  };
  const { registry, protocol } = createClients({ ...shared, revokeTokens, parts });
  const addressProblem = createOutgoing({ allow: [] }).problem;
  accounts = createServiceAccounts({ ...shared, revokeTokens, addressProblem, clients: registry, protocol });
  await apis.create({ audience: 'https://orders.example.com', permissions: [{ name: 'orders:read' }] }, origin);
  await db.listen('client_changed', (payload) => void heard.push(payload));
});
afterAll(() => database.drop());

const problem = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => error.fields ?? error.code,
  );
const secretsOf = async (id: string) => (await accounts.byId(id))?.secrets ?? [];

test('S42 S86 the secret is given once, is long, and only its digest is kept', async () => {
  const { id, clientId, secret } = await accounts.create({ name: 'once', permissions: [READ] }, origin);
  expect(clientId).toMatch(/^svc_[a-z2-9]{20}$/);
  expect(Buffer.from(secret.slice(4, 47), 'base64url')).toHaveLength(32);
  expect(JSON.stringify(await accounts.byId(id))).not.toContain(secret);
  const { db } = database;
  const [event] = await db.prisma.auditEvent.findMany({ where: { action: 'service_account.create', targetId: id } });
  expect(JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
    secret,
  );
  const row = await db.prisma.clientSecret.findFirstOrThrow({ where: { clientId } });
  expect(Buffer.from(row.secretHash).toString('latin1')).not.toContain(secret);
});

test('a name belongs to one account, also when two ask at once, and nothing of the other stays', async () => {
  const results = await Promise.all([1, 2, 3].map(() => problem(accounts.create({ name: 'same' }, origin))));
  expect(results.filter((result) => result === 'none')).toHaveLength(1);
  expect(results).toContainEqual({ name: { code: 'service_accounts.name_taken' } });
  expect(await database.db.prisma.client.count({ where: { name: 'same' } })).toBe(1);
});

test('a rotated secret works on for the chosen time, and never more than two at once', async () => {
  const { id } = await accounts.create({ name: 'rotating' }, origin);
  await accounts.rotateSecret(id, 3_600, origin);
  expect(await secretsOf(id)).toHaveLength(2);
  now += 3_600_000;
  expect(await secretsOf(id)).toHaveLength(1);
  await Promise.all([1, 2, 3, 4, 5].map(() => accounts.rotateSecret(id, 86_400, origin)));
  expect((await secretsOf(id)).map(({ expiresAt }) => expiresAt === null)).toEqual([true, false]);
  await accounts.rotateSecret(id, 0, origin);
  expect(await secretsOf(id)).toHaveLength(1);
  expect(await problem(accounts.rotateSecret(id, 604_801, origin))).toMatchObject({
    overlap: { code: 'service_accounts.overlap_unknown' },
  });
});

test('S33 disabling revokes its tokens, once, and tells the caches', async () => {
  const { id, clientId } = await accounts.create({ name: 'stopped' }, origin);
  const { db } = database;
  const token = (n: number) => ({
    idHash: Buffer.alloc(32, n),
    kind: 'ClientCredentials',
    jti: `jti-${n}`,
    clientId,
    serviceAccountId: id,
    scopes: [],
    createdAt: clock.now(),
    expiresAt: new Date(now + 300_000),
  });
  await db.prisma.token.createMany({ data: [token(1), token(2)] });
  heard.length = 0;
  const results = await Promise.all([1, 2, 3].map(() => accounts.disable(id, origin)));
  expect(results.filter(Boolean)).toHaveLength(1);
  expect(await db.prisma.token.count({ where: { clientId, revokedAt: null } })).toBe(0);
  expect(await db.prisma.auditEvent.count({ where: { action: 'service_account.disable', targetId: id } })).toBe(1);
  for (let i = 0; i < 50 && !heard.includes(clientId); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toContain(clientId);
});

test('S83 ids that are none are absent', async () => {
  expect(await accounts.byId('nothing')).toBeNull();
  expect(await problem(accounts.disable('nothing', origin))).toBe('service_accounts.not_found');
});
