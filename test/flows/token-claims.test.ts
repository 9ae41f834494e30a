import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, type JWTPayload } from 'jose';
import { newId } from '../../src/kernel/ids.ts';
import { CLIENT_CHANGED } from '../../src/platform/db/notify.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { authorizePath, clientCredentials, codeRequest, getCode, introspect, redeem } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { until } from '../support/until.ts';

const PROFILES = ['standard', 'keycloak', 'auth0'] as const;
const NAMES = ['read', 'write', 'admin', 'introspect'];
const audienceOf = (profile: string, format = 'jwt') => `https://${profile}-${format}.example.com`;
const audiences = PROFILES.flatMap((profile) => ['jwt', 'opaque'].map((format) => audienceOf(profile, format)));

let postern: Postern;
let service: Service;
let person: Person;
let application: Application;
let agent: Agent;
let role: string;

beforeAll(async () => {
  postern = await startPostern();
  const { access } = postern.parts;
  for (const claimProfile of PROFILES) {
    for (const tokenFormat of ['jwt', 'opaque'] as const) {
      const audience = audienceOf(claimProfile, tokenFormat);
      const permissions = NAMES.map((name) => ({ name }));
      await access.apis.create({ audience, permissions, claimProfile, tokenFormat }, BY_TEST);
    }
  }
  const all = (names: string[]) => audiences.flatMap((audience) => names.map((name) => `${audience}#${name}`));
  service = await createService(postern, all(['write', 'read', 'introspect']));
  // The person holds admin, which the application may not ask for, and not introspect, for which it may.
  application = await createApplication(postern, {
    permissions: all(['read', 'write', 'introspect']),
    scopes: ['openid', 'groups'],
  });
  person = await createPerson(postern);
  role = await grantRole(postern, person, all(['write', 'admin', 'read']));
  await access.roles.create({ name: 'batch' }, BY_TEST);
  await access.roles.assign('batch', { serviceAccountId: service.id }, BY_TEST);
  await joinTeams({ userId: person.id }, { serviceAccountId: service.id });
  agent = createAgent(postern.url);
});
afterAll(() => postern.close());

type Member = { userId: string } | { serviceAccountId: string };

/** Into the team `packing`, which is below `logistics`. */
async function joinTeams(...members: Member[]): Promise<void> {
  const { prisma } = postern.db;
  const [upper, lower] = [newId(), newId()];
  const at = new Date();
  await prisma.team.create({ data: { id: upper, name: 'logistics', createdAt: at, updatedAt: at } });
  await prisma.team.create({ data: { id: lower, name: 'packing', parentId: upper, createdAt: at, updatedAt: at } });
  const reach = [
    [upper, upper],
    [lower, lower],
    [lower, upper],
  ].map(([teamId = '', reachesId = '']) => ({ teamId, reachesId }));
  await prisma.teamReach.createMany({ data: reach });
  for (const member of members) {
    await prisma.teamMember.create({
      data: { id: newId(), teamId: lower, ...member, addedBy: 'test', createdAt: at },
    });
  }
}

async function ofService(audience: string, scope = 'read'): Promise<string> {
  const { status, body } = await clientCredentials(postern.url, service, { resource: audience, scope });
  expect([status, body.error]).toEqual([200, undefined]);
  return String(body.access_token);
}

async function ofPerson(audience: string, scope = 'read'): Promise<string> {
  const got = await getCode(agent, application, person, { scope: `openid ${scope}`, resource: audience });
  const { status, body } = await redeem(postern.url, application, got, { resource: audience });
  expect([status, body.error]).toEqual([200, undefined]);
  return String(body.access_token);
}

/** What differs from token to token by nature. */
function lasting({ jti: _jti, iat: _iat, exp: _exp, auth_time: _auth, sid: _sid, ...claims }: JWTPayload): JWTPayload {
  return claims;
}

const FOR_SERVICE = {
  roles: ['batch'],
  groups: ['logistics', 'packing'],
  entitlements: ['introspect', 'read', 'write'],
};
const forPerson = () => ({ roles: [role], groups: ['logistics', 'packing'], entitlements: ['read', 'write'] });

describe('claims of RFC 9068 section 2.2.3.1', () => {
  test.each(PROFILES)('are flat, sorted lists in every token, with the profile %s too', async (profile) => {
    expect(decodeJwt(await ofService(audienceOf(profile)))).toMatchObject({ scope: 'read', ...FOR_SERVICE });
    expect(decodeJwt(await ofPerson(audienceOf(profile)))).toMatchObject({ scope: 'read', ...forPerson() });
  });

  test('are absent where there is nothing to list, not empty', async () => {
    const audience = audienceOf('standard');
    const plain = await createService(postern, [`${audience}#read`]);
    const claims = decodeJwt(String((await clientCredentials(postern.url, plain)).body.access_token));
    expect(claims.entitlements).toEqual(['read']);
    for (const name of ['roles', 'groups', 'truncated']) expect(claims).not.toHaveProperty(name);
  });

  test('S18 entitlements hold no permission that the client may not ask for, nor one that the person lacks', async () => {
    const { entitlements } = decodeJwt(await ofPerson(audienceOf('standard')));
    expect(entitlements).not.toContain('admin');
    expect(entitlements).not.toContain('introspect');
  });

  test('a token for userinfo says nothing of them to whoever introspects it', async () => {
    const got = await getCode(agent, application, person, { scope: 'openid' });
    const { body } = await redeem(postern.url, application, got);
    const told = await introspect(postern.url, application, String(body.access_token));
    expect(told.active).toBe(true);
    for (const name of ['roles', 'groups', 'entitlements']) expect(told).not.toHaveProperty(name);
  });
});

describe('profiles', () => {
  const added = (profile: string, claims: JWTPayload, standard: JWTPayload) => {
    const known = { ...lasting(standard), aud: audienceOf(profile) };
    // Nothing of the standard is missing, and nothing has another value.
    expect(claims).toMatchObject(known);
    return Object.fromEntries(Object.entries(lasting(claims)).filter(([name]) => !(name in known)));
  };

  test('keycloak adds its names for a service and a person, and takes none away', async () => {
    const audience = audienceOf('keycloak');
    const [plain, plainOfPerson] = [await ofService(audienceOf('standard')), await ofPerson(audienceOf('standard'))];
    expect(added('keycloak', decodeJwt(await ofService(audience)), decodeJwt(plain))).toEqual({
      azp: service.clientId,
      realm_access: { roles: ['batch'] },
      resource_access: { [audience]: { roles: ['read'] } },
    });
    expect(added('keycloak', decodeJwt(await ofPerson(audience)), decodeJwt(plainOfPerson))).toEqual({
      azp: application.clientId,
      realm_access: { roles: [role] },
      resource_access: { [audience]: { roles: ['read'] } },
      preferred_username: person.email,
    });
  });

  test('auth0 adds its names', async () => {
    const audience = audienceOf('auth0');
    const [plain, plainOfPerson] = [await ofService(audienceOf('standard')), await ofPerson(audienceOf('standard'))];
    expect(added('auth0', decodeJwt(await ofService(audience)), decodeJwt(plain))).toEqual({
      azp: service.clientId,
      permissions: ['read'],
      gty: 'client-credentials',
    });
    expect(added('auth0', decodeJwt(await ofPerson(audience)), decodeJwt(plainOfPerson))).toEqual({
      azp: application.clientId,
      permissions: ['read'],
    });
  });

  test.each(PROFILES)('an opaque token of profile %s says the same when it is asked about', async (profile) => {
    const opaque = audienceOf(profile, 'opaque');
    for (const get of [ofService, ofPerson]) {
      const claims = lasting(decodeJwt(await get(audienceOf(profile))));
      const told = await introspect(postern.url, service, await get(opaque));
      const text = JSON.stringify(claims).replaceAll(audienceOf(profile), opaque);
      // The one claim that introspection leaves out for a token that no person stands behind (RFC 7662 section 2.2).
      const { sub, ...rest } = JSON.parse(text) as JWTPayload;
      expect(told).toMatchObject(get === ofPerson ? { ...rest, sub } : rest);
    }
  });
});

describe('the scope groups', () => {
  test('gives the teams of a person, in the ID token and at userinfo, and nothing without it', async () => {
    const ask = async (scope: string) => {
      const got = await getCode(agent, application, person, { scope });
      const { body } = await redeem(postern.url, application, got);
      const headers = { authorization: `Bearer ${body.access_token}` };
      const info = (await (await fetch(`${postern.url}/oauth2/userinfo`, { headers })).json()) as JWTPayload;
      return [decodeJwt(String(body.id_token)).groups, info.groups];
    };
    expect(await ask('openid groups')).toEqual([
      ['logistics', 'packing'],
      ['logistics', 'packing'],
    ]);
    expect(await ask('openid')).toEqual([undefined, undefined]);
  });

  test('is asked for in words', async () => {
    const asking = await createApplication(postern, { scopes: ['openid', 'groups'], firstParty: false });
    const { params } = codeRequest(asking, { scope: 'openid groups' });
    const page = await agent.get(authorizePath(params));
    expect(page.text).toContain('See your teams');
  });
});

describe('a subject with 500 roles', () => {
  let names: string[];

  beforeAll(async () => {
    const { prisma } = postern.db;
    const at = new Date();
    const roles = Array.from({ length: 500 }, (_, n) => ({
      id: newId(),
      name: `department-${1000 - n}`,
      createdAt: at,
    }));
    await prisma.role.createMany({ data: roles });
    await prisma.roleReach.createMany({ data: roles.map(({ id }) => ({ roleId: id, reachesId: id })) });
    for (const holder of [{ userId: person.id }, { serviceAccountId: service.id }]) {
      const held = roles.map(({ id }) => ({ id: newId(), roleId: id, grantedBy: 'test', createdAt: at, ...holder }));
      await prisma.assignment.createMany({ data: held });
    }
    // The change was made behind the product's back.
    await postern.db.notify(CLIENT_CHANGED, '*');
    names = roles.map(({ name }) => name);
    await until(async () => decodeJwt(await ofService(audienceOf('standard'))).truncated !== undefined);
  });

  test.each(PROFILES)('gets a token that names 100 of them and says so, with the profile %s', async (profile) => {
    const audience = audienceOf(profile);
    for (const [token, own] of [
      [await ofService(audience), 'batch'],
      [await ofPerson(audience), role],
    ] as const) {
      const claims = decodeJwt(token);
      const first = [...names, own].sort().slice(0, 100);
      expect(claims.roles).toEqual(first);
      expect(claims.truncated).toEqual(profile === 'keycloak' ? ['roles', 'realm_access'] : ['roles']);
      expect(claims.entitlements).toContain('read');
      if (profile === 'keycloak') expect(claims.realm_access).toEqual({ roles: first });
      // Half of what a server takes as headers by default.
      expect(token.length).toBeLessThan(8_000);
    }
  });
});
