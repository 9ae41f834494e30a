import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { SigningAlg, TokenFormat } from '../../src/kernel/access-token.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { asClient, clientCredentials, getCode, introspect, postForm, redeem, refresh } from '../support/oauth.ts';
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
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

interface Api {
  id: string;
  audience: string;
}

const ALGORITHMS: SigningAlg[] = ['ES256', 'EdDSA', 'RS256', 'PS256'];

let postern: Postern;
let keys: ReturnType<typeof createRemoteJWKSet>;
let person: Person;
let agent: Agent;
let role: string;
const jwtApis = new Map<SigningAlg, Api>();
let vault: Api;
let service: Service;
/** The vault's own service: it may ask whether a token for it is active. */
let keeper: Service;
let application: Application;

async function createApi(form: { tokenFormat?: TokenFormat; signingAlg?: SigningAlg }, lifetime = 300): Promise<Api> {
  const audience = `https://api-${Object.values(form).join('-').toLowerCase()}-${lifetime}.example.com`;
  const permissions = [{ name: 'read' }, { name: 'introspect' }];
  const { id } = await postern.parts.access.apis.create({ audience, permissions, lifetime, ...form }, BY_TEST);
  return { id, audience };
}

beforeAll(async () => {
  postern = await startPostern();
  keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
  for (const signingAlg of ALGORITHMS) jwtApis.set(signingAlg, await createApi({ signingAlg }));
  vault = await createApi({ tokenFormat: 'opaque' });
  const all = [vault, ...jwtApis.values()].map(({ audience }) => `${audience}#read`);
  service = await createService(postern, all);
  keeper = await createService(postern, [`${vault.audience}#introspect`]);
  person = await createPerson(postern);
  role = await grantRole(postern, person, all);
  application = await createApplication(postern, { permissions: all });
  agent = createAgent(postern.url);
  await getCode(agent, application, person);
});
afterAll(() => postern.close());

const apiOf = (alg: SigningAlg) => jwtApis.get(alg) ?? vault;

async function serviceToken({ audience }: Api, holder = service): Promise<string> {
  const { body } = await clientCredentials(postern.url, holder, { resource: audience });
  return String(body.access_token);
}

async function personTokens({ audience }: Api): Promise<{ access: string; refresh: string }> {
  const got = await getCode(agent, application, person, { scope: 'openid offline_access read', resource: audience });
  const { body } = await redeem(postern.url, application, got, { resource: audience });
  expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 300 });
  return { access: String(body.access_token), refresh: String(body.refresh_token) };
}

const revoke = (token: string, client: { clientId: string; secret: string }) =>
  postForm(`${postern.url}/oauth2/revoke`, { token }, asClient(client).headers);

const rowsOf = (token: string) =>
  postern.db.query<Record<string, unknown>>(
    'test-row-of',
    `SELECT kind, jti, format, user_id, service_account_id, client_id, scopes, audience,
       extract(epoch FROM expires_at - created_at)::int AS lifetime,
       position($1 IN row_to_json(token)::text) AS value_at
     FROM token WHERE id_hash = sha256(convert_to($1, 'UTF8'))`,
    [token],
  );

describe.each(ALGORITHMS)('an API whose tokens are signed with %s', (alg) => {
  const expected = () => ({ issuer: postern.url, audience: apiOf(alg).audience, typ: 'at+jwt', algorithms: [alg] });

  test("S38 a service's and a person's tokens verify against the published keys", async () => {
    const forService = await jwtVerify(await serviceToken(apiOf(alg)), keys, expected());
    expect(forService.protectedHeader).toEqual({ alg, typ: 'at+jwt', kid: expect.any(String) });
    expect(forService.payload).toMatchObject({ sub: service.clientId, scope: 'read' });
    const { access } = await personTokens(apiOf(alg));
    const forPerson = await jwtVerify(access, keys, expected());
    expect(forPerson.protectedHeader).toEqual({ alg, typ: 'at+jwt', kid: forService.protectedHeader.kid });
    expect(forPerson.payload).toMatchObject({ sub: person.id, scope: 'read', roles: [role] });
  });

  test('S50 S51 is introspected and revoked', async () => {
    for (const [token, owner] of [
      [await serviceToken(apiOf(alg)), service],
      [(await personTokens(apiOf(alg))).access, application],
    ] as const) {
      expect(await introspect(postern.url, owner, token)).toMatchObject({ active: true, scope: 'read' });
      expect((await revoke(token, owner)).status).toBe(200);
      expect(await introspect(postern.url, owner, token)).toEqual({ active: false });
    }
  });

  test('goes on with a key that was published before, when its keys are rotated', async () => {
    await postern.parts.keys.maintain();
    const published = async () => (await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as JSONWebKeySet;
    await until(async () => (await published()).keys.filter((key) => key.alg === alg).length === 2);
    const kept = createLocalJWKSet(await published());
    const before = (await jwtVerify(await serviceToken(apiOf(alg)), kept, expected())).protectedHeader.kid;
    // A key that was made a moment ago would not sign yet.
    moveTime(36);
    await postern.parts.keys.rotate(BY_TEST, alg);
    const kidNow = async () => (await jwtVerify(await serviceToken(apiOf(alg)), kept, expected())).protectedHeader.kid;
    await until(async () => (await kidNow()) !== before);
    const { protectedHeader } = await jwtVerify((await personTokens(apiOf(alg))).access, kept, expected());
    expect(protectedHeader.kid).toBe(await kidNow());
  });
});

describe('an API with opaque tokens', () => {
  test('S42 a token is 256 random bits, and its row holds everything but the value', async () => {
    const forService = await serviceToken(vault);
    const { access } = await personTokens(vault);
    for (const token of [forService, access]) expect(token).toMatch(/^[\w-]{43}$/);
    const common = { format: 'opaque', scopes: ['read'], audience: vault.audience, lifetime: 300, value_at: 0 };
    expect(await rowsOf(forService)).toEqual([
      {
        ...common,
        kind: 'ClientCredentials',
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        user_id: null,
        service_account_id: service.id,
        client_id: service.clientId,
      },
    ]);
    expect(await rowsOf(access)).toEqual([
      {
        ...common,
        kind: 'AccessToken',
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        user_id: person.id,
        service_account_id: null,
        client_id: application.clientId,
      },
    ]);
  });

  test('S49 its own service learns what a token says, and nobody else does', async () => {
    const claims = { active: true, iss: postern.url, aud: vault.audience, scope: 'read', token_type: 'Bearer' };
    const forService = await serviceToken(vault);
    expect(await introspect(postern.url, keeper, forService)).toMatchObject({ ...claims, client_id: service.clientId });
    const { access } = await personTokens(vault);
    expect(await introspect(postern.url, keeper, access)).toMatchObject({
      ...claims,
      client_id: application.clientId,
      sub: person.id,
      acr: 'urn:postern:aal2',
      roles: [role],
    });
    const stranger = await createService(postern, [`${apiOf('ES256').audience}#introspect`]);
    for (const token of [forService, access]) {
      expect(await introspect(postern.url, stranger, token)).toEqual({ active: false });
    }
  });

  test('S50 S51 revocation is immediate, and a stranger cannot', async () => {
    const forService = await serviceToken(vault);
    const { access, refresh: refreshToken } = await personTokens(vault);
    for (const [token, owner] of [
      [forService, service],
      [access, application],
    ] as const) {
      expect((await revoke(token, keeper)).status).toBe(200);
      expect(await introspect(postern.url, keeper, token)).toMatchObject({ active: true });
      expect((await revoke(token, owner)).status).toBe(200);
      expect(await introspect(postern.url, keeper, token)).toEqual({ active: false });
    }
    // The refresh token stays, brings another opaque one, and takes it along when it is revoked.
    const next = await refresh(postern.url, application, refreshToken, { resource: vault.audience });
    expect(String(next.body.access_token)).toMatch(/^[\w-]{43}$/);
    expect(await introspect(postern.url, keeper, String(next.body.access_token))).toMatchObject({ active: true });
    await revoke(String(next.body.refresh_token), application);
    expect(await introspect(postern.url, keeper, String(next.body.access_token))).toEqual({ active: false });
  });

  test('S41 a truncated or flipped opaque token is inactive', async () => {
    for (const token of [await serviceToken(vault), (await personTokens(vault)).access]) {
      const flipped = [...token].map((letter, at) => {
        const other = letter === 'A' ? 'B' : 'A';
        return `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
      });
      const others = [token.slice(0, -1), token.slice(1), `${token}A`, `A${token}`, `${token}=`, token.toLowerCase()];
      const answers = await Promise.all([...flipped, ...others].map((wrong) => introspect(postern.url, keeper, wrong)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['{"active":false}']));
      expect(await introspect(postern.url, keeper, token)).toMatchObject({ active: true });
    }
  });

  test('S39 is no token for userinfo, and its public identifier is no value', async () => {
    const { access } = await personTokens(vault);
    const [row] = await rowsOf(access);
    for (const token of [access, String(row?.jti), await serviceToken(vault)]) {
      const response = await fetch(`${postern.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } });
      expect([401, 403]).toContain(response.status);
      expect(await response.text()).not.toContain(person.email);
    }
    expect(await introspect(postern.url, keeper, String(row?.jti))).toEqual({ active: false });
  });

  test('S78 a disabled service account holds nothing any more', async () => {
    const holder = await createService(postern, [`${vault.audience}#read`]);
    const token = await serviceToken(vault, holder);
    expect(await introspect(postern.url, keeper, token)).toMatchObject({ active: true });
    await postern.parts.serviceAccounts.disable(holder.id, BY_TEST);
    expect(await introspect(postern.url, keeper, token)).toEqual({ active: false });
  });

  test('the token pages show it, without its value, and end it', async () => {
    const admin = await createPerson(postern, { roles: ['admin'] });
    const browser = await browserOf(postern, admin, '/admin');
    for (const [token, owner] of [
      [await serviceToken(vault), /service \d+/],
      [(await personTokens(vault)).access, new RegExp(person.email)],
    ] as const) {
      const [row] = await rowsOf(token);
      const list = await browser.get(`/admin/tokens?${new URLSearchParams({ audience: vault.audience })}`);
      expect(list.html).toContain(`/admin/tokens/${row?.jti}`);
      const page = await browser.get(`/admin/tokens/${row?.jti}`);
      expect(page.text).toMatch(owner);
      expect(page.text).toContain('Opaque');
      expect(page.html + list.html).not.toContain(token);
      const form = page.forms.find(({ action }) => action.endsWith('/revoke'));
      const done = await browser.post(`/admin/tokens/${row?.jti}/revoke`, { _csrf: form?.fields._csrf ?? '' });
      expect(done.text).toContain('Revoked');
      expect(await introspect(postern.url, keeper, token)).toEqual({ active: false });
    }
  });
});

test('a change of the form holds for the next token, in a running server, and leaves earlier ones as they are', async () => {
  const api = await createApi({}, 600);
  const holder = await createService(postern, [`${api.audience}#read`]);
  const algOf = async (token: string) =>
    token.includes('.')
      ? (await jwtVerify(token, createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`)))).protectedHeader.alg
      : 'opaque';
  const change = (form: { tokenFormat?: TokenFormat; signingAlg?: SigningAlg }) =>
    postern.parts.access.apis.update(api.id, { name: 'changing', lifetime: 600, ...form }, BY_TEST);

  const first = await serviceToken(api, holder);
  expect(await algOf(first)).toBe('ES256');
  await change({ signingAlg: 'EdDSA' });
  await until(async () => (await algOf(await serviceToken(api, holder))) === 'EdDSA');
  await change({ tokenFormat: 'opaque' });
  await until(async () => (await algOf(await serviceToken(api, holder))) === 'opaque');
  // What was left out stays.
  await change({ tokenFormat: 'jwt' });
  await until(async () => (await algOf(await serviceToken(api, holder))) === 'EdDSA');
  expect(await introspect(postern.url, holder, first)).toMatchObject({ active: true });
});

test('S48 S54 the keys of every algorithm are published by their public parts, and nothing more is promised', async () => {
  const { keys: published } = (await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as JSONWebKeySet;
  expect(new Set(published.map(({ alg }) => alg))).toEqual(new Set(ALGORITHMS));
  const edwards = published.filter(({ alg }) => alg === 'EdDSA');
  for (const key of published) expect(key).not.toHaveProperty('d');
  expect(edwards[0]).toMatchObject({ kty: 'OKP', crv: 'Ed25519', use: 'sig' });
  const metadata = (await (await fetch(`${postern.url}/.well-known/openid-configuration`)).json()) as object;
  expect(metadata).toMatchObject({ id_token_signing_alg_values_supported: ['ES256', 'RS256'] });
});
