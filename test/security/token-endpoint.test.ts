import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { createAgent } from '../support/browserless.ts';
import { clientCredentials, getCode, introspect, postForm, redeem, type TokenAnswer } from '../support/oauth.ts';
import {
  BY_TEST,
  basic,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';
import { sendRaw } from '../support/web.ts';

let postern: Postern;
let audience: string;
let service: Service;
let endpoint: string;

beforeAll(async () => {
  postern = await startPostern();
  endpoint = `${postern.url}/oauth2/token`;
  audience = await createApi(postern, ['read', 'write', 'delete']);
  service = await createService(postern, [`${audience}#read`, `${audience}#write`]);
});
afterAll(() => postern.close());

const grant = { grant_type: 'client_credentials' };

function expectRefused(answer: TokenAnswer, status: number, error: string): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status, error });
  expect(answer.body.error_description).toEqual(expect.any(String));
  expect(Object.keys(answer.body).filter((name) => name.includes('token'))).toEqual([]);
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

describe('client authentication', () => {
  test.each<[string, () => Record<string, string>]>([
    ['a wrong secret', () => ({ authorization: basic(service.clientId, 'pst_wrong') })],
    ['a longer secret', () => ({ authorization: basic(service.clientId, `${service.secret}x`) })],
    ['a cut secret', () => ({ authorization: basic(service.clientId, service.secret.slice(0, -1)) })],
    ['an unknown client', () => ({ authorization: basic('svc_unknown', service.secret) })],
    ["the secret's digest", () => ({ authorization: basic(service.clientId, 'sha256:00') })],
  ])('S26 %s: 401 invalid_client', async (_name, headers) => {
    const answer = await postForm(endpoint, grant, headers());
    expectRefused(answer, 401, 'invalid_client');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
  });

  test.each<[string, () => Record<string, string>]>([
    ['a wrong secret in the body', () => ({ client_id: service.clientId, client_secret: 'wrong' })],
    ['no secret', () => ({ client_id: service.clientId })],
    ['an empty one', () => ({ client_id: service.clientId, client_secret: '' })],
  ])('S26 %s: 401 invalid_client', async (_name, form) => {
    expectRefused(await postForm(endpoint, { ...grant, ...form() }), 401, 'invalid_client');
  });

  test('S26 known and unknown clients get the same words', async () => {
    const [known, unknown] = await Promise.all([
      postForm(endpoint, grant, { authorization: basic(service.clientId, 'pst_wrong') }),
      postForm(endpoint, grant, { authorization: basic('svc_unknown', 'pst_wrong') }),
    ]);
    expect(known.body).toEqual(unknown.body);
  });

  test('S26 broken Authorization headers are refused without a fault', async () => {
    const broken = ['Basic', 'Basic !!!', 'Basic Og==', `Basic ${btoa('%zz:%zz')}`, 'Bearer x', 'x'];
    broken.push(basic(service.clientId, ''), basic(`${service.clientId}\0`, service.secret));
    for (const authorization of broken) {
      const answer = await postForm(endpoint, grant, { authorization });
      expect([400, 401]).toContain(answer.status);
      expect(answer.body).not.toHaveProperty('access_token');
    }
  });

  test('S27 two methods at once, or one that is not registered, are refused', async () => {
    const both = await postForm(
      endpoint,
      { ...grant, client_id: service.clientId, client_secret: service.secret },
      { authorization: service.basic },
    );
    expect(both.status).toBeGreaterThanOrEqual(400);
    expect(both.body).not.toHaveProperty('access_token');

    const spa = await createApplication(postern, { type: 'spa' });
    const publicWithSecret = await postForm(
      endpoint,
      { grant_type: 'refresh_token', refresh_token: 'x' },
      { authorization: basic(spa.clientId, 'x') },
    );
    expectRefused(publicWithSecret, 401, 'invalid_client');
  });
});

describe('what is granted', () => {
  test('S18 a scope that was not assigned is never granted', async () => {
    const ask = (extra: Record<string, string>) => clientCredentials(postern.url, service, extra);
    const all = await ask({});
    expect(all.body.scope?.split(' ').sort()).toEqual(['read', 'write']);
    const some = await ask({ scope: 'read delete', resource: audience });
    expect(some.body.scope).toBe('read');
    expect(decodeJwt(String(some.body.access_token)).scope).toBe('read');
    expectRefused(await ask({ scope: 'delete', resource: audience }), 400, 'invalid_scope');
    for (const scope of ['delete', 'openid', 'offline_access', 'admin', 'read\u0000', 'READ']) {
      const answer = await ask({ scope });
      expect({ scope, status: answer.status, token: answer.body.access_token }).toEqual({
        scope,
        status: 400,
        token: undefined,
      });
    }
  });

  test('S18 a person gets what the role and the application hold, and no more', async () => {
    const person = await createPerson(postern);
    const role = await postern.parts.access.roles.create(
      { name: 'reader', description: '', permissions: [`${audience}#read`, `${audience}#delete`] },
      BY_TEST,
    );
    await postern.parts.users.assignRole(person.id, role.name, BY_TEST);
    const application = await createApplication(postern, { permissions: [`${audience}#read`, `${audience}#write`] });
    const agent = createAgent(postern.url);
    const extra = { scope: 'openid read write delete', resource: audience };
    const { body } = await redeem(
      postern.url,
      application,
      await getCode(agent, application, person, { ...extra, scope: 'openid read write' }),
      { resource: audience },
    );
    expect(decodeJwt(String(body.access_token)).scope).toBe('read');
    const wide = await getCode(agent, application, person, extra).catch((error: Error) => error.message);
    if (typeof wide !== 'string') {
      const answer = await redeem(postern.url, application, wide, { resource: audience });
      expect(decodeJwt(String(answer.body.access_token)).scope).toBe('read');
    } else expect(wide).toMatch(/invalid_scope/);
  });

  test('S33 client_credentials gives no refresh and no ID token', async () => {
    const { body } = await clientCredentials(postern.url, service);
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
    expect(body.token_type).toBe('Bearer');
    const claims = decodeJwt(String(body.access_token));
    expect(body.expires_in).toBe(300);
    expect(Number(claims.exp) - Number(claims.iat)).toBe(300);
  });

  test('S33 a disabled account is refused, its tokens end, and it may come back', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const { body } = await clientCredentials(postern.url, account);
    await postern.parts.serviceAccounts.disable(account.id, BY_TEST);
    await until(async () => (await clientCredentials(postern.url, account)).status === 401);
    expect((await clientCredentials(postern.url, account)).body.error).toBe('invalid_client');
    await postern.parts.serviceAccounts.enable(account.id, BY_TEST);
    await until(async () => (await clientCredentials(postern.url, account)).status === 200);
    expect(await introspect(postern.url, account, String(body.access_token))).toEqual({ active: false });
  });

  test('S33 an application can not use client_credentials, nor a service account another grant', async () => {
    const application = await createApplication(postern, { permissions: [`${audience}#read`] });
    const answer = await clientCredentials(postern.url, application);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(/^(unauthorized_client|invalid_request)$/);
    for (const type of ['authorization_code', 'refresh_token', 'implicit', 'urn:example:other', '']) {
      const { status, body } = await postForm(
        endpoint,
        { grant_type: type, code: 'x', refresh_token: 'x' },
        { authorization: service.basic },
      );
      expect(status).toBe(400);
      expect(body.error).toMatch(/^(unauthorized_client|unsupported_grant_type|invalid_request)$/);
    }
  });

  test('S34 an unknown resource, and one on which nothing is held: invalid_target', async () => {
    const foreign = await createApi(postern, ['read']);
    for (const resource of ['https://unknown.example.com', foreign, `${audience}/`, audience.toUpperCase()]) {
      const answer = await clientCredentials(postern.url, service, { resource, scope: 'read' });
      expectRefused(answer, 400, 'invalid_target');
    }
    for (const resource of ['not a uri', `${audience}#x`, '/read']) {
      const { status, body } = await clientCredentials(postern.url, service, { resource });
      expect(status).toBe(400);
      expect(body.error).toBe('invalid_target');
    }
  });

  test('S34 one audience for each token: two resources at once are refused, several APIs need a name', async () => {
    const second = await createApi(postern, ['read']);
    const account = await createService(postern, [`${audience}#read`, `${second}#read`]);
    const two: [string, string][] = [...Object.entries(grant), ['resource', audience], ['resource', second]];
    const answer = await postForm(endpoint, two, { authorization: account.basic });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe('invalid_target');
    expectRefused(await clientCredentials(postern.url, account), 400, 'invalid_target');
    for (const resource of [audience, second]) {
      const { body } = await clientCredentials(postern.url, account, { resource });
      expect(decodeJwt(String(body.access_token)).aud).toBe(resource);
    }
  });
});

describe('how it answers', () => {
  test('S35 every answer is no-store', async () => {
    const answers = await Promise.all([
      clientCredentials(postern.url, service),
      clientCredentials(postern.url, { ...service, secret: 'x' }),
      postForm(endpoint, {}),
    ]);
    for (const { headers } of answers) expect(headers.get('cache-control')).toBe('no-store');
  });

  test('S36 GET is refused, and so are credentials in the query', async () => {
    const query = new URLSearchParams({ ...grant, client_id: service.clientId, client_secret: service.secret });
    const got = await fetch(`${endpoint}?${query}`);
    expect(got.status).toBeGreaterThanOrEqual(400);
    expect(await got.text()).not.toMatch(/access_token/);
    const inQuery = await postForm(`${endpoint}?${query}`, grant);
    expect(inQuery.status).toBeGreaterThanOrEqual(400);
    expect(inQuery.body).not.toHaveProperty('access_token');
    const parameters = await postForm(
      `${endpoint}?${new URLSearchParams(grant)}`,
      {},
      { authorization: service.basic },
    );
    expect(parameters.body).not.toHaveProperty('access_token');
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'GET'])('S98 %s is not a method of the endpoint', async (method) => {
    for (const path of ['token', 'introspect', 'revoke']) {
      const response = await fetch(`${postern.url}/oauth2/${path}`, {
        method,
        headers: { authorization: service.basic },
      });
      expect([404, 405]).toContain(response.status);
      expect(await response.text()).not.toMatch(/access_token|"active":true/);
    }
  });

  test('S98 TRACE and a made-up method reach nothing', async () => {
    const { port, host } = new URL(postern.url);
    for (const method of ['TRACE', 'PROPFIND', 'FOO']) {
      const answer = await sendRaw(
        Number(port),
        `${method} /oauth2/token HTTP/1.1\r\nHost: ${host}\r\nX-Secret: echo-me\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 (400|404|405|501) /);
      expect(answer).not.toContain('echo-me');
    }
  });

  test('S92 malformed bodies are refused without a fault or a stack', async () => {
    const bodies: [string, string, string][] = [
      ['JSON', 'application/json', '{"grant_type":"client_credentials"}'],
      ['multipart', 'multipart/form-data; boundary=x', '--x--'],
      ['no type', '', 'grant_type=client_credentials'],
      ['bad encoding', 'application/x-www-form-urlencoded', 'grant_type=%zz%00&&&=&=x'],
      ['nested', 'application/x-www-form-urlencoded', 'grant_type[not]=&grant_type[$ne]=1'],
      [
        'prototype',
        'application/x-www-form-urlencoded',
        '__proto__[x]=1&constructor=x&grant_type=client_credentials&x',
      ],
      ['empty', 'application/x-www-form-urlencoded', ''],
      ['too long', 'application/x-www-form-urlencoded', `grant_type=client_credentials&x=${'a'.repeat(60 * 1024)}`],
      ['many', 'application/x-www-form-urlencoded', 'a=b&'.repeat(5000)],
    ];
    for (const path of ['token', 'introspect', 'revoke']) {
      for (const [name, type, body] of bodies) {
        const response = await fetch(`${postern.url}/oauth2/${path}`, {
          method: 'POST',
          headers: { authorization: service.basic, ...(type ? { 'content-type': type } : {}) },
          body,
        });
        const text = await response.text();
        const good = path === 'token' && name === 'prototype' && response.status === 200;
        expect({ path, name, ok: good || (response.status >= 400 && response.status < 500) }).toMatchObject({
          ok: true,
        });
        expect(text).not.toMatch(/\bat .*\.(js|ts):\d+|node_modules|SELECT |prisma/i);
      }
    }
  });

  test('S92 a scope of more than 1 KiB, or of a million words, is refused quickly', async () => {
    const started = performance.now();
    for (const scope of ['a'.repeat(2_000), 'a '.repeat(20_000), `read ${'é'.repeat(600)}`]) {
      const answer = await clientCredentials(postern.url, service, { scope });
      expect(answer.status).toBe(400);
      expect(answer.body).not.toHaveProperty('access_token');
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('secrets', () => {
  test('S42 a client secret holds 256 bits, and no two are alike', async () => {
    const other = await createService(postern);
    for (const { secret } of [service, other]) expect(secret).toMatch(/^pst_[\w-]{43}[A-Za-z0-9]{6}$/);
    expect(other.secret).not.toBe(service.secret);
    const made = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { access_token: token } = (await clientCredentials(postern.url, service)).body;
      made.add(String(decodeJwt(String(token)).jti));
    }
    expect(made.size).toBe(20);
    for (const jti of made) expect(jti.length * 6).toBeGreaterThanOrEqual(128);
  });

  test('S86 only a digest of the secret is at rest', async () => {
    const tables = await postern.db.query<{ name: string }>(
      'test-tables',
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
      [],
    );
    expect(tables.length).toBeGreaterThan(15);
    for (const { name } of tables) {
      const [row] = await postern.db.query<{ n: number }>(
        `test-scan-${name}`,
        `SELECT count(*)::int AS n FROM "${name}" t WHERE t::text LIKE $1 OR t::text LIKE $2`,
        [`%${service.secret}%`, `%${Buffer.from(service.secret).toString('hex')}%`],
      );
      expect({ name, rows: row?.n }).toEqual({ name, rows: 0 });
    }
    expect(JSON.stringify(postern.logged)).not.toContain(service.secret);
  });

  test('a rotated secret works until its overlap ends, and the new one at once', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const { secret } = await postern.parts.serviceAccounts.rotateSecret(account.id, 3_600, BY_TEST);
    await until(async () => (await clientCredentials(postern.url, { ...account, secret })).status === 200);
    expect((await clientCredentials(postern.url, account)).status).toBe(200);
    moveTime(3_601);
    expect((await clientCredentials(postern.url, account)).status).toBe(401);
    expect((await clientCredentials(postern.url, { ...account, secret })).status).toBe(200);
  });

  test('a service account that lost a permission loses it in its next token', async () => {
    const account = await createService(postern, [`${audience}#read`, `${audience}#write`]);
    expect((await clientCredentials(postern.url, account)).body.scope).toBe('read write');
    await postern.parts.serviceAccounts.setPermissions(account.id, [`${audience}#read`], BY_TEST);
    await until(async () => (await clientCredentials(postern.url, account)).body.scope === 'read');
  });

  test('S40 the token endpoint signs with the published ES256 key alone', async () => {
    const { access_token: token } = (await clientCredentials(postern.url, service)).body;
    const response = await fetch(`${postern.url}/oauth2/jwks`);
    const { keys } = (await response.json()) as { keys: { kid: string; alg: string }[] };
    const { alg, kid } = decodeProtectedHeader(String(token));
    expect(alg).toBe('ES256');
    expect(keys.filter((key) => key.kid === kid)).toMatchObject([{ alg: 'ES256' }]);
  });
});
