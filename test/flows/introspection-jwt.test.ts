import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { createAgent } from '../support/browserless.ts';
import { createHolder, postWithProof } from '../support/dpop.ts';
import { clientCredentials, getCode, postForm, redeem } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const JWT = 'application/token-introspection+jwt';
const opaque = 'urn:example:opaque';

let postern: Postern;
let audience: string;
let service: Service;
/** The API's own service: it asks about tokens that others bring. */
let keeper: Service;
let keys: ReturnType<typeof createRemoteJWKSet>;

beforeAll(async () => {
  postern = await startPostern();
  // The schedule makes it some seconds after the start; whoever fetches the key set before does not know it.
  await postern.parts.keys.need('PS256');
  audience = await createApi(postern, ['read', 'introspect']);
  const permissions = ['read', 'introspect'].map((name) => ({ name, description: '' }));
  await postern.parts.access.apis.create({ audience: opaque, permissions, tokenFormat: 'opaque' }, BY_TEST);
  service = await createService(postern, [`${audience}#read`, `${opaque}#read`]);
  keeper = await createService(postern, [`${audience}#introspect`, `${opaque}#introspect`]);
  keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
});
afterAll(() => postern.close());

async function ask(token: string, by = keeper, accept = JWT): Promise<{ type: string; text: string; status: number }> {
  const response = await fetch(`${postern.url}/oauth2/introspect`, {
    method: 'POST',
    headers: { authorization: by.basic, accept },
    body: new URLSearchParams({ token }),
  });
  const text = await response.text();
  expect(response.headers.get('cache-control')).toBe('no-store');
  return { status: response.status, text, type: response.headers.get('content-type') ?? '' };
}

async function told(token: string, by = keeper): Promise<Record<string, unknown>> {
  const { status, type, text } = await ask(token, by);
  expect({ status, type: type.split(';')[0] }).toEqual({ status: 200, type: JWT });
  const { payload, protectedHeader } = await jwtVerify(text, keys, {
    issuer: postern.url,
    audience: by.clientId,
    typ: 'token-introspection+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['iat'],
  });
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'token-introspection+jwt', kid: expect.any(String) });
  // RFC 9701 section 5: what stands inside must not be taken for claims of this JWT.
  expect(Object.keys(payload).sort()).toEqual(['aud', 'iat', 'iss', 'token_introspection']);
  return payload.token_introspection as Record<string, unknown>;
}

const tokenFor = async (resource: string) =>
  String((await clientCredentials(postern.url, service, { resource })).body.access_token);

describe('RFC 9701', () => {
  test.each([
    ['a JWT', () => audience],
    ['an opaque token', () => opaque],
  ])('%s: the answer is signed, and for its caller alone', async (_form, api) => {
    const token = await tokenFor(api());
    const expected = { active: true, client_id: service.clientId, aud: api(), scope: 'read', iss: postern.url };
    expect(await told(token)).toMatchObject(expected);
    expect(await told(token, service)).toMatchObject(expected);
    expect(decodeJwt((await ask(token, service)).text).aud).toBe(service.clientId);
  });

  test('it says the same as JSON, also of a token that is bound to a key', async () => {
    const holder = await createHolder();
    const form = { grant_type: 'client_credentials', resource: audience };
    const { body } = await postWithProof(`${postern.url}/oauth2/token`, form, { authorization: service.basic }, holder);
    const token = String(body.access_token);
    const plain = JSON.parse((await ask(token, keeper, 'application/json')).text) as Record<string, unknown>;
    expect(plain).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: holder.thumbprint } });
    expect(await told(token)).toEqual(plain);
  });

  test('S49 S50 of what is not active, or not for the caller, it says only that', async () => {
    const stranger = await createService(postern, []);
    const token = await tokenFor(audience);
    for (const bad of ['unknown', 'e30.e30.AA', `${token.slice(0, -4)}AAAA`]) {
      expect(await told(bad)).toEqual({ active: false });
    }
    expect(await told(token, stranger)).toEqual({ active: false });
    await postForm(`${postern.url}/oauth2/revoke`, { token }, { authorization: service.basic });
    expect(await told(token)).toEqual({ active: false });
  });

  test.each(['application/json', '*/*', 'text/html', ''])('Accept: %j gets JSON', async (accept) => {
    const { type, text } = await ask(await tokenFor(audience), keeper, accept);
    expect(type).toContain('application/json');
    expect(JSON.parse(text)).toMatchObject({ active: true });
  });

  test('S49 a caller that does not prove who it is gets no JWT', async () => {
    const impostor = { ...keeper, basic: service.basic.slice(0, -4) };
    const { status, text } = await ask(await tokenFor(audience), impostor);
    expect(status).toBe(401);
    expect(JSON.parse(text)).toMatchObject({ error: 'invalid_client' });
  });

  test.each(['RS256', 'EdDSA', 'PS256'] as const)('a client that chose %s gets that', async (alg) => {
    const chooser = await createService(postern, [`${audience}#introspect`]);
    await postern.parts.serviceAccounts.setProtocol(chooser.id, { introspectionAlg: alg }, BY_TEST);
    const { text } = await ask(await tokenFor(audience), chooser);
    expect(decodeProtectedHeader(text).alg).toBe(alg);
    const { payload } = await jwtVerify(text, keys, { audience: chooser.clientId, algorithms: [alg] });
    expect(payload.token_introspection).toMatchObject({ active: true });
  });

  test('S54 metadata names the algorithms, and each has a key', async () => {
    const response = await fetch(`${postern.url}/.well-known/oauth-authorization-server`);
    const { introspection_signing_alg_values_supported: listed } = (await response.json()) as Record<string, string[]>;
    const published = (await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as { keys: { alg: string }[] };
    expect(listed).toContain('ES256');
    expect(published.keys.map(({ alg }) => alg)).toEqual(expect.arrayContaining(listed ?? []));
  });

  test('oauth4webapi takes it', async () => {
    const allow = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(postern.url);
    const found = await oauth.discoveryRequest(issuer, { ...allow, algorithm: 'oauth2' });
    const as = await oauth.processDiscoveryResponse(issuer, found);
    const me = { client_id: keeper.clientId, introspection_signed_response_alg: 'ES256' };
    const token = await tokenFor(audience);
    const method = oauth.ClientSecretBasic(keeper.secret);
    const response = await oauth.introspectionRequest(as, me, method, token, allow);
    expect(await oauth.processIntrospectionResponse(as, me, response)).toMatchObject({ active: true, aud: audience });
    await oauth.validateApplicationLevelSignature(as, response, allow);
  });
});

describe('S39 an answer is no token', () => {
  let application: Application;
  let answer: string;
  beforeAll(async () => {
    application = await createApplication(postern);
    const person = await createPerson(postern);
    const got = await getCode(createAgent(postern.url), application, person);
    const { body } = await redeem(postern.url, application, got);
    const by = { ...application, basic: `Basic ${btoa(`${application.clientId}:${application.secret}`)}`, id: '' };
    answer = (await ask(String(body.access_token), by)).text;
    expect(decodeJwt(answer)).toMatchObject({ token_introspection: { active: true, sub: person.id } });
  });

  test('for an API that verifies by itself, as RFC 9068 says', async () => {
    await expect(jwtVerify(answer, keys, { typ: 'at+jwt' })).rejects.toThrow('typ');
  });

  test.each(['token-introspection+jwt', 'JWT', 'dpop+jwt', 'logout+jwt', undefined])(
    'the type tells: the claims of a living access token, signed by our own key as %s, are none',
    async (typ) => {
      const token = await tokenFor(audience);
      const { keys: own } = await postern.parts.keys.jwks();
      const jwk = own.find(({ alg, kid }) => alg === 'ES256' && kid === decodeProtectedHeader(token).kid);
      const as = (type: string | undefined) =>
        new SignJWT(decodeJwt(token))
          .setProtectedHeader({ alg: 'ES256', kid: String(jwk?.kid), ...(type ? { typ: type } : {}) })
          .sign(createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }));
      expect(await told(await as('at+jwt'))).toMatchObject({ active: true });
      expect(await told(await as(typ))).toEqual({ active: false });
    },
  );

  test('for introspection, revocation and userinfo', async () => {
    expect(await told(answer)).toEqual({ active: false });
    const headers = { authorization: `Bearer ${answer}` };
    expect((await fetch(`${postern.url}/oauth2/userinfo`, { headers })).status).toBe(401);
    const revoked = await postForm(
      `${postern.url}/oauth2/revoke`,
      { token: answer },
      { authorization: `Basic ${btoa(`${application.clientId}:${application.secret}`)}` },
    );
    expect(revoked.status).toBe(200);
  });
});
