import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { type Agent, createAgent } from '../support/browserless.ts';
import { asClient, clientCredentials, getCode, introspect, postForm, redeem, refresh } from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';

let postern: Postern;
let audience: string;
let service: Service;
/** The API's own service: it may ask whether a token for the API is active. */
let keeper: Service;
let person: Person;
let application: Application;
let agent: Agent;
let role: string;
let keys: ReturnType<typeof createRemoteJWKSet>;

beforeAll(async () => {
  postern = await startPostern();
  keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
  audience = await createApi(postern, ['read', 'introspect']);
  service = await createService(postern, [`${audience}#read`]);
  keeper = await createService(postern, [`${audience}#introspect`]);
  person = await createPerson(postern);
  role = await grantRole(postern, person, [`${audience}#read`]);
  application = await createApplication(postern, { permissions: [`${audience}#read`] });
  agent = createAgent(postern.url);
  await getCode(agent, application, person);
});
afterAll(() => postern.close());

async function serviceToken(): Promise<string> {
  return String((await clientCredentials(postern.url, service)).body.access_token);
}

/** For userinfo: opaque, and an ID token and a refresh token beside it. */
async function personTokens(): Promise<{ access: string; id: string; refresh: string; nonce: string }> {
  const got = await getCode(agent, application, person);
  const { body } = await redeem(postern.url, application, got);
  return {
    access: String(body.access_token),
    id: String(body.id_token),
    refresh: String(body.refresh_token),
    nonce: String(got.params.nonce),
  };
}

/** For the API: a JWT that the person stands behind. */
async function apiToken(): Promise<string> {
  const extra = { scope: 'openid read', resource: audience };
  const got = await getCode(agent, application, person, extra);
  const { body } = await redeem(postern.url, application, got, { resource: audience });
  return String(body.access_token);
}

async function userinfo(headers: Record<string, string>, init: RequestInit = {}, query = '') {
  const response = await fetch(`${postern.url}/oauth2/userinfo${query}`, { headers, ...init });
  const text = await response.text();
  return { status: response.status, text, challenge: response.headers.get('www-authenticate') ?? '' };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('JWT access tokens', () => {
  test("S38 a service's token is of RFC 9068 and verifies against the published keys", async () => {
    const { payload, protectedHeader } = await jwtVerify(await serviceToken(), keys, {
      issuer: postern.url,
      audience,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    });
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    expect(payload).toMatchObject({
      sub: service.clientId,
      client_id: service.clientId,
      scope: 'read',
      aud: audience,
    });
  });

  test("S38 a person's token says who, how and when they signed in, and with which roles", async () => {
    const { payload } = await jwtVerify(await apiToken(), keys, { issuer: postern.url, audience, typ: 'at+jwt' });
    expect(payload).toMatchObject({
      sub: person.id,
      client_id: application.clientId,
      scope: 'read',
      acr: 'urn:postern:aal2',
      amr: ['pwd', 'otp', 'mfa'],
      roles: [role],
      auth_time: expect.any(Number),
      sid: expect.any(String),
    });
    expect(Number(payload.auth_time)).toBeLessThanOrEqual(Number(payload.iat));
  });

  test('S43 the ID token echoes the nonce and is for the client alone', async () => {
    const { id, nonce, access } = await personTokens();
    const { payload, protectedHeader } = await jwtVerify(id, keys, {
      issuer: postern.url,
      audience: application.clientId,
    });
    expect(payload).toMatchObject({ aud: application.clientId, nonce, sub: person.id, email: person.email });
    expect(protectedHeader.typ).not.toBe('at+jwt');
    expect(payload.at_hash ?? '').not.toBe(access);
    const without = await getCode(agent, application, person, { nonce: '' });
    const { body } = await redeem(postern.url, application, without);
    expect(decodeJwt(String(body.id_token)).nonce ?? '').toBe('');
  });
});

describe('one kind of token is never another', () => {
  test('S39 an ID token is no access token, and an access token for an API none for userinfo', async () => {
    const { id, refresh: refreshToken, access } = await personTokens();
    expect((await userinfo(bearer(access))).status).toBe(200);
    for (const token of [id, refreshToken, await apiToken(), await serviceToken()]) {
      const { status, text } = await userinfo(bearer(token));
      expect(status).toBe(401);
      expect(text).not.toContain(person.email);
    }
    for (const client of [application, service, keeper]) {
      expect(await introspect(postern.url, client, id)).toEqual({ active: false });
    }
  });

  test('S39 an ID token or an access token is no client assertion, no code and no refresh token', async () => {
    const { id, access } = await personTokens();
    const jwt = await serviceToken();
    for (const token of [id, access, jwt]) {
      const assertion = await postForm(`${postern.url}/oauth2/token`, {
        grant_type: 'client_credentials',
        client_id: service.clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: token,
      });
      expect([400, 401]).toContain(assertion.status);
      expect(assertion.body).not.toHaveProperty('access_token');
      expect((await refresh(postern.url, application, token)).body.error).toBe('invalid_grant');
      const asCode = await redeem(postern.url, application, { code: token, verifier: 'v'.repeat(43) });
      expect(asCode.body.error).toBe('invalid_grant');
    }
  });

  test('S39 an access token is no id_token_hint', async () => {
    const hint = await apiToken();
    const params = new URLSearchParams({
      client_id: application.clientId,
      response_type: 'code',
      redirect_uri: application.redirectUri,
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      prompt: 'none',
      id_token_hint: hint,
    });
    const page = await agent.get(`/oauth2/authorize?${params}`);
    expect(page.leaves?.searchParams.has('code') ?? false).toBe(false);
  });

  test("S39 a row's public jti is no bearer value, and neither is the alias behind it", async () => {
    const jwt = await serviceToken();
    const { jti } = decodeJwt(jwt);
    const { access } = await personTokens();
    const [row] = await postern.db.query<{ jti: string }>(
      'test-newest',
      "SELECT jti FROM token WHERE kind = 'AccessToken' AND format = 'opaque' ORDER BY created_at DESC, jti DESC LIMIT 1",
      [],
    );
    expect(access).not.toBe(row?.jti);
    for (const guess of [String(jti), `jwt:${jti}`, `jwt%3A${jti}`, String(row?.jti)]) {
      for (const client of [service, keeper, application]) {
        expect(await introspect(postern.url, client, guess)).toEqual({ active: false });
      }
      expect((await userinfo(bearer(guess))).status).toBe(401);
      await postForm(`${postern.url}/oauth2/revoke`, { token: guess }, asClient(service).headers);
    }
    expect(await introspect(postern.url, service, jwt)).toMatchObject({ active: true });
  });
});

describe('forged tokens', () => {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

  async function forgeries(genuine: string): Promise<[string, string][]> {
    const claims = decodeJwt(genuine);
    const header = decodeProtectedHeader(genuine);
    const [, payload = '', signature = ''] = genuine.split('.');
    const response = await fetch(`${postern.url}/oauth2/jwks`);
    const published = ((await response.json()) as { keys: JWK[] }).keys;
    const signing = published.find(({ kid }) => kid === header.kid);
    const own = await generateKeyPair('ES256', { extractable: true });
    const ownJwk = await exportJWK(own.publicKey);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const hmacOver = (secret: string) =>
      new SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' } as never).sign(Buffer.from(secret.padEnd(32)));
    const selfSigned = (extra: object) =>
      new SignJWT(claims).setProtectedHeader({ ...header, alg: 'ES256', ...extra } as never).sign(own.privateKey);
    return [
      ['alg none', `${encode({ ...header, alg: 'none' })}.${payload}.`],
      ['alg None', `${encode({ ...header, alg: 'None' })}.${payload}.${signature}`],
      ['no signature', `${genuine.split('.').slice(0, 2).join('.')}.`],
      ['another signature', `${genuine.slice(0, -4)}AAAA`],
      ['a changed payload', `${encode(header)}.${encode({ ...claims, scope: 'read admin' })}.${signature}`],
      ['HMAC over the public key as JSON', await hmacOver(JSON.stringify(signing))],
      ['HMAC over x of the public key', await hmacOver(String(signing?.x))],
      ['its own key, known kid', await selfSigned({})],
      ['its own key in jwk', await selfSigned({ jwk: ownJwk })],
      ['its own key by jku', await selfSigned({ jku: `${postern.url}/jwks`, kid: 'x' })],
      ['its own key by x5u', await selfSigned({ x5u: 'https://attacker.example/x' })],
      ['no kid', await selfSigned({ kid: undefined })],
      [
        'RS256 by another key',
        await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'RS256' } as never).sign(rsa.privateKey),
      ],
      ['an unknown crit', `${encode({ ...header, crit: ['x'], x: 1 })}.${payload}.${signature}`],
    ];
  }

  test('S40 are active for nobody', async () => {
    const genuine = await serviceToken();
    expect(await introspect(postern.url, service, genuine)).toMatchObject({ active: true });
    for (const [name, token] of await forgeries(genuine)) {
      expect({ name, ...(await introspect(postern.url, service, token)) }).toEqual({ name, active: false });
    }
    expect(await introspect(postern.url, service, genuine)).toMatchObject({ active: true });
  });

  test('S40 revoke nothing', async () => {
    const genuine = await serviceToken();
    for (const [name, token] of await forgeries(genuine)) {
      const { status } = await postForm(`${postern.url}/oauth2/revoke`, { token }, asClient(service).headers);
      expect({ name, status }).toEqual({ name, status: 200 });
    }
    expect(await introspect(postern.url, service, genuine)).toMatchObject({ active: true });
  });

  test('S40 are no ID token hint, at the authorization endpoint and at logout', async () => {
    const { id } = await personTokens();
    for (const [name, token] of await forgeries(id)) {
      const ask = new URLSearchParams({
        client_id: application.clientId,
        response_type: 'code',
        redirect_uri: application.redirectUri,
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
        prompt: 'none',
        id_token_hint: token,
      });
      const page = await agent.get(`/oauth2/authorize?${ask}`);
      expect({ name, code: page.leaves?.searchParams.has('code') ?? false }).toEqual({ name, code: false });
      const bye = new URLSearchParams({
        id_token_hint: token,
        post_logout_redirect_uri: application.postLogoutRedirectUri,
      });
      const logout = await agent.get(`/oauth2/logout?${bye}`);
      expect({ name, leaves: logout.leaves?.href, status: logout.status }).toEqual({
        name,
        leaves: undefined,
        status: 400,
      });
    }
  });

  test('S40 a request object is not read at all', async () => {
    const request = `${encode({ alg: 'none' })}.${encode({ client_id: application.clientId, scope: 'openid' })}.`;
    for (const extra of [{ request }, { request_uri: 'https://attacker.example/request' }]) {
      const ask = new URLSearchParams({ client_id: application.clientId, response_type: 'code', ...extra });
      const page = await agent.get(`/oauth2/authorize?${ask}`);
      expect(page.leaves?.searchParams.has('code') ?? false).toBe(false);
      expect(page.status).toBeLessThan(500);
    }
  });

  test('S41 a cut, flipped or longer opaque token is inactive', async () => {
    const { access, refresh: refreshToken } = await personTokens();
    for (const token of [access, refreshToken]) {
      expect(await introspect(postern.url, application, token)).toMatchObject({ active: true });
      const last = token.at(-1) === 'A' ? 'B' : 'A';
      const changed = [
        token.slice(0, -1),
        token.slice(1),
        `${token.slice(0, -1)}${last}`,
        `${token}A`,
        ` ${token}`,
        token.toLowerCase() === token ? token.toUpperCase() : token.toLowerCase(),
        `${token}\0`,
        '',
      ];
      for (const wrong of changed) {
        const answer = await introspect(postern.url, application, wrong);
        expect(answer.active ?? false).toBe(false);
        if (wrong.trim() === wrong && !wrong.includes('\0'))
          expect((await userinfo(bearer(wrong))).status).toBe(wrong ? 401 : 400);
      }
    }
  });

  test('S42 opaque tokens and codes hold 128 bits or more', async () => {
    const { code } = await getCode(agent, application, person);
    const { access, refresh: refreshToken } = await personTokens();
    for (const value of [code, access, refreshToken]) {
      const random = value.replace(/^[a-z]+_/, '');
      expect(random).toMatch(/^[\w-]+$/);
      expect(random.length * 6).toBeGreaterThanOrEqual(128);
    }
  });
});

/** What RFC 7518 section 6 and RFC 8037 section 2 make public of each kind of key. */
const PUBLIC_PARTS: Record<string, string[]> = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['e', 'n'] };

describe('keys', () => {
  test('S48 the published keys are public, current and each of its own name', async () => {
    const response = await fetch(`${postern.url}/oauth2/jwks`);
    expect(response.headers.get('content-type')).toMatch(/^application\/(jwk-set\+)?json/);
    const { keys: published } = (await response.json()) as { keys: Record<string, unknown>[] };
    expect(published.length).toBeGreaterThanOrEqual(3);
    expect(new Set(published.map(({ kid }) => kid)).size).toBe(published.length);
    for (const { key_ops: uses = ['verify'], ...key } of published) {
      // A key that is published ahead of its time says that it is not for signing yet.
      expect(uses).toEqual(['verify']);
      expect(Object.keys(key).sort()).toEqual(
        ['alg', 'kid', 'kty', 'use', ...(PUBLIC_PARTS[String(key.kty)] ?? [])].sort(),
      );
      expect(['ES256', 'EdDSA', 'RS256']).toContain(key.alg);
      if (key.kty === 'RSA') expect(Buffer.from(String(key.n), 'base64url').length * 8).toBeGreaterThanOrEqual(3072);
    }
  });

  test('S48 private keys are sealed at rest', async () => {
    const rows = await postern.db.query<{ text: string; sealed: Buffer }>(
      'test-keys',
      'SELECT k::text AS text, private_enc AS sealed FROM signing_key k',
      [],
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
    for (const { text, sealed } of rows) {
      expect(text).not.toMatch(/"d":|PRIVATE KEY/);
      // The outermost bytes of PKCS#8 in DER.
      expect(sealed.includes(Buffer.from('06072a8648ce3d0201', 'hex'))).toBe(false);
      expect(sealed.includes(Buffer.from('06092a864886f70d010101', 'hex'))).toBe(false);
    }
  });
});

describe('introspection', () => {
  test('S49 needs client authentication', async () => {
    const token = await serviceToken();
    const spa = await createApplication(postern, { type: 'spa' });
    const tries = [
      await postForm(`${postern.url}/oauth2/introspect`, { token }),
      await postForm(`${postern.url}/oauth2/introspect`, { token, client_id: service.clientId }),
      await postForm(`${postern.url}/oauth2/introspect`, { token }, asClient({ ...service, secret: 'x' }).headers),
      await postForm(`${postern.url}/oauth2/introspect`, { token }, bearer(token)),
    ];
    for (const { status, body } of tries) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(body).not.toHaveProperty('active');
    }
    const byPublic = await postForm(`${postern.url}/oauth2/introspect`, { token, client_id: spa.clientId });
    expect(byPublic.body.active ?? false).toBe(false);
  });

  test('S49 a token for an API is active to its owner and to the API, to nobody else', async () => {
    const other = await createService(postern, [`${audience}#read`]);
    const elsewhere = await createApi(postern, ['introspect']);
    const foreignKeeper = await createService(postern, [`${elsewhere}#introspect`]);
    for (const token of [await serviceToken(), await apiToken()]) {
      expect(await introspect(postern.url, keeper, token)).toMatchObject({
        active: true,
        aud: audience,
        scope: 'read',
      });
      expect(await introspect(postern.url, other, token)).toEqual({ active: false });
      expect(await introspect(postern.url, foreignKeeper, token)).toEqual({ active: false });
    }
    const { refresh: refreshToken, access } = await personTokens();
    for (const token of [refreshToken, access]) {
      expect(await introspect(postern.url, keeper, token)).toEqual({ active: false });
    }
  });

  test('S49 says what the token itself says', async () => {
    const token = await apiToken();
    const claims = decodeJwt(token);
    const answer = await introspect(postern.url, keeper, token);
    for (const name of ['iss', 'sub', 'aud', 'client_id', 'scope', 'exp', 'iat', 'acr', 'roles', 'auth_time']) {
      expect({ name, value: answer[name] }).toEqual({ name, value: claims[name] });
    }
  });

  test('S50 of a revoked or expired token nothing is said but active:false', async () => {
    const token = await serviceToken();
    const { access, refresh: refreshToken } = await personTokens();
    const jwt = await apiToken();
    const { headers } = asClient(service);
    await postForm(`${postern.url}/oauth2/revoke`, { token }, headers);
    expect(await introspect(postern.url, service, token)).toEqual({ active: false });
    expect(await introspect(postern.url, keeper, token)).toEqual({ active: false });

    const fresh = await serviceToken();
    moveTime(320);
    for (const expired of [fresh, access, jwt]) {
      for (const client of [service, keeper, application]) {
        expect(await introspect(postern.url, client, expired)).toEqual({ active: false });
      }
    }
    expect(await introspect(postern.url, application, refreshToken)).toMatchObject({ active: true });
    expect((await userinfo(bearer(access))).status).toBe(401);
  });
});

describe('revocation', () => {
  const revoke = (token: string, client: { clientId: string; secret: string }) => {
    const { form, headers } = asClient(client);
    return postForm(`${postern.url}/oauth2/revoke`, { token, ...form }, headers);
  };

  test('S51 an unknown token: 200', async () => {
    for (const token of ['unknown', 'a.b.c', 'jwt:x', `${await serviceToken()}x`]) {
      expect((await revoke(token, service)).status).toBe(200);
    }
    expect((await postForm(`${postern.url}/oauth2/revoke`, {}, asClient(service).headers)).status).toBe(400);
    expect((await revoke(await serviceToken(), { ...service, secret: 'x' })).status).toBe(401);
  });

  test("S51 another client's token is unaffected", async () => {
    const other = await createService(postern, [`${audience}#read`]);
    const spa = await createApplication(postern, { type: 'spa' });
    const jwt = await serviceToken();
    const { access, refresh: refreshToken } = await personTokens();
    for (const client of [other, spa, keeper]) {
      for (const token of [jwt, access, refreshToken]) expect((await revoke(token, client)).status).toBe(200);
    }
    expect(await introspect(postern.url, service, jwt)).toMatchObject({ active: true });
    expect(await introspect(postern.url, application, access)).toMatchObject({ active: true });
    expect((await refresh(postern.url, application, refreshToken)).status).toBe(200);
  });

  test('S51 a refresh token takes its access tokens along', async () => {
    const { access, refresh: first } = await personTokens();
    const rotated = await refresh(postern.url, application, first);
    expect((await revoke(String(rotated.body.refresh_token), application)).status).toBe(200);
    for (const token of [access, rotated.body.access_token, rotated.body.refresh_token]) {
      expect(await introspect(postern.url, application, String(token))).toEqual({ active: false });
    }
    expect((await userinfo(bearer(String(rotated.body.access_token)))).status).toBe(401);
    expect((await refresh(postern.url, application, String(rotated.body.refresh_token))).status).toBe(400);
  });

  test('S51 an access token goes alone: its refresh token and its siblings stay', async () => {
    const { access, refresh: first } = await personTokens();
    const rotated = await refresh(postern.url, application, first);
    expect((await revoke(access, application)).status).toBe(200);
    expect(await introspect(postern.url, application, access)).toEqual({ active: false });
    expect(await introspect(postern.url, application, String(rotated.body.access_token))).toMatchObject({
      active: true,
    });
    expect((await refresh(postern.url, application, String(rotated.body.refresh_token))).status).toBe(200);
  });

  test('S51 a JWT access token is revoked like any other', async () => {
    const jwt = await apiToken();
    expect(await introspect(postern.url, keeper, jwt)).toMatchObject({ active: true });
    expect((await revoke(jwt, application)).status).toBe(200);
    expect(await introspect(postern.url, keeper, jwt)).toEqual({ active: false });
  });
});

describe('userinfo', () => {
  test('S52 takes the token in the header only', async () => {
    const { access } = await personTokens();
    expect(JSON.parse((await userinfo(bearer(access))).text)).toMatchObject({ sub: person.id, email: person.email });
    const form = {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `access_token=${access}`,
    };
    const elsewhere = [
      await userinfo({}, {}, `?access_token=${access}`),
      await userinfo({}, form),
      await userinfo({ cookie: `access_token=${access}` }),
      await userinfo({ authorization: `DPoP ${access}` }),
      await userinfo({ authorization: access }),
    ];
    for (const { status, text } of elsewhere) {
      expect([400, 401]).toContain(status);
      expect(text).not.toContain(person.email);
    }
  });

  test('S52 says in WWW-Authenticate what is wrong', async () => {
    const none = await userinfo({});
    const wrong = await userinfo(bearer('x'));
    expect(none.status).toBeGreaterThanOrEqual(400);
    expect(none.challenge).toMatch(/^Bearer realm="/);
    expect(wrong.status).toBe(401);
    expect(wrong.challenge).toMatch(/^Bearer realm=".*", error="invalid_token"/);
  });

  test('S52 gives what the scopes give and nothing else', async () => {
    const got = await getCode(agent, application, person, { scope: 'openid' });
    const { body } = await redeem(postern.url, application, got);
    const { text } = await userinfo(bearer(String(body.access_token)));
    const said = JSON.parse(text);
    expect(said).toMatchObject({ sub: person.id });
    for (const name of ['email', 'name', 'preferred_username', 'roles']) expect(said).not.toHaveProperty(name);
  });
});
