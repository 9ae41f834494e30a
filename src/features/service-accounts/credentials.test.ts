import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { systemClock as clock } from '../../kernel/clock.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { createOutgoing } from '../../platform/outgoing/outgoing.ts';
import { createAccess } from '../access/module.ts';
import { createClients } from '../clients/module.ts';
import { createTeams } from '../teams/module.ts';
import { createTokens } from '../tokens/module.ts';
import { createServiceAccounts } from './module.ts';
import type { ServiceAccounts } from './service.ts';

const origin = { by: { type: 'system' as const, name: 'test' } };
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
  await db.listen('client_changed', (payload) => void heard.push(payload));
});
afterAll(() => database.drop());

let made = 0;
function newKey(kid: string) {
  return { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid };
}
async function withKeys(...keys: object[]) {
  made += 1;
  return await accounts.create({ name: `keys ${made}`, auth: 'private_key_jwt', jwks: { keys } }, origin);
}
async function withSecret() {
  made += 1;
  return await accounts.create({ name: `secret ${made}` }, origin);
}
const problem = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => error.fields ?? error.code,
  );
const rowOf = (clientId: string) =>
  database.db.prisma.client.findUniqueOrThrow({ where: { clientId }, include: { secrets: true } });
const eventsOf = (id: string) =>
  database.db.prisma.auditEvent.findMany({ where: { targetId: id }, orderBy: { id: 'asc' } });

async function toldCaches(clientId: string): Promise<boolean> {
  for (let i = 0; i < 50 && !heard.includes(clientId); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  return heard.splice(0).includes(clientId);
}

test('an account with keys is given no secret, and its keys are kept and shown', async () => {
  const key = newKey('k1');
  const account = await withKeys(key);
  expect(account).not.toHaveProperty('secret');
  expect(await rowOf(account.clientId)).toMatchObject({
    authMethod: 'private_key_jwt',
    jwks: { keys: [{ ...key, use: 'sig' }] },
    secrets: [],
  });
  expect(await accounts.byId(account.id)).toMatchObject({
    auth: 'private_key_jwt',
    secrets: [],
    keys: [{ kid: 'k1', kind: 'EC P-256', algorithms: ['ES256'], thumbprint: expect.stringMatching(/^[\w-]{43}$/) }],
  });
  const [event] = await eventsOf(account.id);
  expect(event).toMatchObject({
    action: 'service_account.create',
    data: { auth: 'private_key_jwt', keys: [{ kid: 'k1' }] },
  });
});

test('keys and method go together', async () => {
  const input = { name: 'mixed', jwks: { keys: [newKey('a')] } };
  const keys = { jwks: { code: 'service_accounts.keys_not_asked' } };
  expect(await problem(accounts.create(input, origin))).toEqual(keys);
  expect(await problem(accounts.create({ ...input, auth: 'secret', jwks: '{}' }, origin))).toEqual(keys);
  const none = { name: 'mixed', auth: 'private_key_jwt' as const };
  expect(await problem(accounts.create({ ...none, jwks: ' ' }, origin))).toEqual({ jwks: { code: 'key_set.missing' } });
  expect(await problem(accounts.create(none, origin))).toEqual({ jwks: { code: 'key_set.not_a_set' } });
  const other = { name: 'mixed', auth: 'none' as 'secret' };
  expect(await problem(accounts.create(other, origin))).toMatchObject({ auth: { code: 'invalid' } });
  expect(await accounts.find('mixed')).toBeNull();
  // A form sends the field that was left empty as well.
  expect(await accounts.create({ name: 'mixed', auth: 'secret', jwks: '' }, origin)).toHaveProperty('secret');
});

test('keys are replaced all at once, and the event tells which came and went', async () => {
  const [one, two, three] = [newKey('1'), newKey('2'), newKey('3')];
  const account = await withKeys(one, two);
  heard.length = 0;
  await accounts.replaceKeys(account.id, { jwks: JSON.stringify({ keys: [two, three] }) }, origin);
  expect(await toldCaches(account.clientId)).toBe(true);
  expect((await accounts.byId(account.id))?.keys.map(({ kid }) => kid)).toEqual(['2', '3']);
  expect((await eventsOf(account.id)).at(-1)).toMatchObject({
    action: 'service_account.replace_keys',
    data: { added: [{ kid: '3' }], removed: [{ kid: '1' }] },
  });
  expect(await problem(accounts.replaceKeys(account.id, { jwks: '{}' }, origin))).toEqual({
    jwks: { code: 'key_set.not_a_set' },
  });
  expect((await accounts.byId(account.id))?.keys).toHaveLength(2);
});

test('an account changes over to keys and back; what it had before ends', async () => {
  const account = await withSecret();
  await accounts.rotateSecret(account.id, 3_600, origin);
  heard.length = 0;
  await accounts.useKeys(account.id, { jwks: { keys: [newKey('k')] } }, origin);
  expect(await toldCaches(account.clientId)).toBe(true);
  expect(await rowOf(account.clientId)).toMatchObject({ authMethod: 'private_key_jwt', secrets: [] });
  const { secret, prefix } = await accounts.useSecret(account.id, origin);
  expect(await toldCaches(account.clientId)).toBe(true);
  expect(secret.startsWith(prefix)).toBe(true);
  expect(await rowOf(account.clientId)).toMatchObject({ authMethod: 'client_secret_basic', jwks: null });
  expect((await accounts.byId(account.id))?.secrets).toMatchObject([{ prefix, expiresAt: null }]);
  expect((await eventsOf(account.id)).map(({ action }) => action)).toEqual([
    'service_account.create',
    'service_account.rotate_secret',
    'service_account.use_keys',
    'service_account.use_secret',
  ]);
  expect((await eventsOf(account.id))[2]).toMatchObject({
    data: { keys: [{ kid: 'k' }], revokedSecrets: [expect.stringMatching(/^pst_/), expect.stringMatching(/^pst_/)] },
  });
});

test('what does not go with the method is refused and changes nothing', async () => {
  const keyed = await withKeys(newKey('k'));
  const secret = await withSecret();
  const jwks = { keys: [newKey('x')] };
  expect(await problem(accounts.rotateSecret(keyed.id, 0, origin))).toBe('service_accounts.uses_keys');
  expect(await problem(accounts.revokeSecret(keyed.id, keyed.id, origin))).toBe('service_accounts.uses_keys');
  expect(await problem(accounts.useKeys(keyed.id, { jwks }, origin))).toBe('service_accounts.uses_keys');
  expect(await problem(accounts.replaceKeys(secret.id, { jwks }, origin))).toBe('service_accounts.uses_secret');
  expect(await problem(accounts.useSecret(secret.id, origin))).toBe('service_accounts.uses_secret');
  expect(await problem(accounts.useKeys('nothing', { jwks }, origin))).toBe('service_accounts.not_found');
  expect(await eventsOf(keyed.id)).toHaveLength(1);
  expect(await eventsOf(secret.id)).toHaveLength(1);
});

test('of several that change the method at once, one does', async () => {
  const account = await withKeys(newKey('k'));
  const results = await Promise.all([1, 2, 3].map(() => problem(accounts.useSecret(account.id, origin))));
  expect(results.sort()).toEqual(['none', 'service_accounts.uses_secret', 'service_accounts.uses_secret']);
  expect((await accounts.byId(account.id))?.secrets).toHaveLength(1);
});
