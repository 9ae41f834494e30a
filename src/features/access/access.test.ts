import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { systemClock as clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { type Access, createAccess } from './module.ts';

const origin = { by: { type: 'system' as const, name: 'test' } };
let database: TestDatabase;
let access: Access;

beforeAll(async () => {
  database = await createTestDatabase();
  access = createAccess({
    db: database.db,
    audit: createAudit({ db: database.db, clock }),
    clock,
    signingKey: async () => undefined,
  });
});
afterAll(() => database.drop());

async function person(): Promise<string> {
  const id = newId();
  const email = `${id}@example.com`;
  const at = clock.now();
  await database.db.prisma.user.create({
    data: { id, email, emailNormalized: email, name: '', status: 'active', createdAt: at, updatedAt: at },
  });
  return id;
}

const events = (action: string, targetId: string) =>
  database.db.prisma.auditEvent.count({ where: { action, targetId } });
const problem = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => error.fields ?? error.code,
  );

describe('APIs', () => {
  test('an API stands with its permissions and its event', async () => {
    const audience = 'https://orders.example.com';
    const permissions = [{ name: 'orders:read', description: 'Read orders' }, { name: 'orders:write' }];
    const { id } = await access.apis.create({ audience, permissions }, origin);
    const api = await access.apis.byId(id);
    expect(api).toMatchObject({ audience, name: audience, tokenTtl: 300 });
    expect(api?.permissions.map(({ name }) => name)).toEqual(['orders:read', 'orders:write']);
    expect(await events('api.create', id)).toBe(1);
  });

  test('an audience is an absolute URI without a fragment, and unique', async () => {
    const create = (audience: string) => problem(access.apis.create({ audience }, origin));
    expect(await create('orders')).toEqual({ audience: { code: 'apis.audience_not_uri' } });
    expect(await create('https://x.example.com/#a')).toEqual({ audience: { code: 'apis.audience_fragment' } });
    const both = await Promise.all([create('urn:example:twice'), create('urn:example:twice')]);
    expect(both).toContainEqual({ audience: { code: 'apis.audience_taken' } });
    expect(both).toContain('none');
  });

  test('a permission is no scope of OpenID Connect, and a lifetime has its bounds', async () => {
    const create = (more: object) => problem(access.apis.create({ audience: 'urn:example:bounds', ...more }, origin));
    expect(await create({ permissions: [{ name: 'ok' }, { name: 'openid' }] })).toEqual({
      permissions: { code: 'apis.permission_reserved', params: { line: 2 } },
    });
    for (const lifetime of ['', '59', '3601', 'x', '1.5']) {
      expect(await create({ lifetime })).toMatchObject({ lifetime: { code: 'apis.token_ttl_range' } });
    }
  });

  test('its tokens are JWTs signed with ES256 unless it chooses, and what a change leaves out stays', async () => {
    const audience = 'urn:example:forms';
    const { id } = await access.apis.create({ audience }, origin);
    const form = async () => {
      const { tokenFormat, signingAlg } = (await access.apis.byId(id)) ?? {};
      return { tokenFormat, signingAlg };
    };
    expect(await form()).toEqual({ tokenFormat: 'jwt', signingAlg: 'ES256' });
    await access.apis.update(id, { name: 'Forms', lifetime: 300, signingAlg: 'EdDSA' }, origin);
    expect(await form()).toEqual({ tokenFormat: 'jwt', signingAlg: 'EdDSA' });
    await access.apis.update(id, { name: 'Forms', lifetime: 300, tokenFormat: 'opaque' }, origin);
    expect(await form()).toEqual({ tokenFormat: 'opaque', signingAlg: 'EdDSA' });
    const changes = await database.db.prisma.auditEvent.findMany({
      where: { action: 'api.update', targetId: id },
      orderBy: { seq: 'desc' },
    });
    expect(changes[0]?.data).toEqual({
      audience,
      name: 'Forms',
      lifetime: 300,
      tokenFormat: 'opaque',
      signingAlg: 'EdDSA',
      claimProfile: 'standard',
    });
  });

  test('no other form or algorithm is taken, by the service or by the database', async () => {
    const create = (more: object) => problem(access.apis.create({ audience: 'urn:example:none', ...more }, origin));
    expect(await create({ tokenFormat: 'paseto' })).toEqual({ tokenFormat: { code: 'apis.token_format' } });
    for (const signingAlg of ['none', 'HS256', 'es256', '']) {
      expect(await create({ signingAlg })).toEqual({ signingAlg: { code: 'apis.signing_alg' } });
    }
    for (const [column, value] of [
      ['token_format', 'paseto'],
      ['signing_alg', 'none'],
    ]) {
      const written = database.db.prisma.$executeRawUnsafe(`UPDATE api SET ${column} = '${value}'`);
      await expect(written).rejects.toThrow(`api_${column}_check`);
    }
  });

  test('S84 unknown fields are refused', async () => {
    expect(await problem(access.apis.create({ audience: 'urn:example:more', id: 'x' } as never, origin))).toEqual({
      id: { code: 'unknown_field' },
    });
  });
});

describe('roles', () => {
  test('the built-in role stays', async () => {
    expect(await problem(access.roles.remove('admin', origin))).toBe('roles.built_in');
  });

  test('of two last admins who are taken away at once one stays', async () => {
    const [ann, bob] = [await person(), await person()];
    for (const userId of [ann, bob]) await access.roles.assign('admin', { userId }, origin);
    const results = await Promise.all(
      [ann, bob].map((userId) => problem(access.roles.unassign('admin', { userId }, origin))),
    );
    expect(results.toSorted()).toEqual(['none', 'roles.last_admin']);
  });

  test('S85 a role that was taken away is gone at once', async () => {
    const userId = await person();
    await access.roles.create({ name: 'support' }, origin);
    expect(await access.roles.assign('support', { userId }, origin)).toBe('given');
    expect(await access.roles.assign('support', { userId }, origin)).toBe('held');
    expect(await access.roles.rolesOf({ userId })).toEqual(['support']);
    await access.roles.unassign('support', { userId }, origin);
    expect(await access.roles.rolesOf({ userId })).toEqual([]);
    expect([await events('role.assign', userId), await events('role.unassign', userId)]).toEqual([1, 1]);
  });
});
