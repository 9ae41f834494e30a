import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Agent, createAgent } from '../support/browserless.ts';
import { asClient, authorizePath, clientCredentials, codeRequest, getCode, postForm } from '../support/oauth.ts';
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
import { sendRaw } from '../support/web.ts';

let postern: Postern;
let application: Application;
let service: Service;
let agent: Agent;

beforeAll(async () => {
  postern = await startPostern();
  application = await createApplication(postern);
  await postern.parts.applications.setProtocol(application.clientId, { claimsParameter: true }, BY_TEST);
  service = await createService(postern);
  agent = createAgent(postern.url);
  await getCode(agent, application, await createPerson(postern));
});
afterAll(() => postern.close());

const LEAK = /\bat \S+ \(.*:\d+:\d+\)|node_modules|\/src\/\S+\.ts|SELECT \w|INSERT INTO|prisma|PosternError/i;

/** Percent-encoded already. */
const VALUES = [
  '',
  '%00',
  '%00%00x',
  '%ff%fe',
  '%zz',
  '%',
  '%F0%9F%92%A9',
  '%E2%80%AE%0d%0a%1b[31m',
  'a'.repeat(6_000),
  '1e999',
  '-1',
  'NaN',
  '9'.repeat(400),
  '%7B%22__proto__%22%3A1%7D',
  '%5B%5B%5B%5B%5B%5B%5B%5B%5B%5B%5B%5B%5B',
  '%7B%22id_token%22%3A%7B%22acr%22%3A%5B%5D%7D%7D',
  'constructor',
  '__proto__',
  'toString',
  "'%20OR%201%3D1%20--",
  '%3Cscript%3Ealert(1)%3C/script%3E',
  '..%2f..%2f..%2fetc%2fpasswd',
  'javascript:alert(1)',
];

const PARAMETERS = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'acr_values',
  'claims',
  'claims_locales',
  'ui_locales',
  'login_hint',
  'id_token_hint',
  'resource',
  'request',
  'request_uri',
  'dpop_jkt',
  'authorization_details',
  'display',
  'x',
];

async function look(path: string, init: RequestInit = {}): Promise<void> {
  const response = await fetch(`${postern.url}${path}`, { redirect: 'manual', ...init });
  const text = await response.text();
  expect({ path, status: response.status, fault: response.status >= 500 }).toMatchObject({ path, fault: false });
  expect(text).not.toMatch(LEAK);
  if (response.headers.get('content-type')?.includes('html')) expect(text).not.toContain('<script>alert(1)');
}

test.each(PARAMETERS)('S92 the authorization endpoint bears any %s', async (name) => {
  const { [name]: _given, ...others } = codeRequest(application, { prompt: 'none' }).params;
  const cookie = agent.cookies.map((one) => `${one.name}=${one.value}`).join('; ');
  for (const value of VALUES) {
    await look(`${authorizePath(others)}&${name}=${value}`, { headers: { cookie } });
  }
  for (const key of [`${name}[]`, `${name}[x]`, `${name}%5B%24ne%5D`]) {
    await look(`${authorizePath(others)}&${key}=1`, { headers: { cookie } });
  }
});

test.each(['token', 'introspect', 'revoke', 'userinfo', 'logout', 'logout/confirm'])(
  'S92 /oauth2/%s bears anything in its form and its query',
  async (path) => {
    const names = [
      'grant_type',
      'code',
      'token',
      'token_type_hint',
      'refresh_token',
      'scope',
      'resource',
      'client_id',
      'client_assertion',
      'client_assertion_type',
      'access_token',
      'id_token_hint',
      'xsrf',
    ];
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const name of names) {
      for (const value of VALUES.filter((_, index) => index % 3 === 1)) {
        const body = `grant_type=client_credentials&${name}=${value}`;
        await look(`/oauth2/${path}`, { method: 'POST', headers: { ...type, authorization: service.basic }, body });
      }
      await look(`/oauth2/${path}?${name}=${VALUES[3]}`);
    }
  },
);

test('S92 cookies and headers may hold anything', async () => {
  const names = [
    'postern_session',
    'postern_session.sig',
    'postern_flow',
    'postern-csrf',
    'postern_console',
    '__proto__',
  ];
  for (const name of names) {
    for (const value of ['', 'x', 'a'.repeat(4_000), '%00', '{"a":1}', '..', 'x.y.z']) {
      for (const path of ['/account', '/oauth2/logout']) {
        await look(path, { headers: { cookie: `${name}=${value}` } });
      }
    }
  }
  for (const header of ['accept', 'accept-language', 'origin', 'referer', 'x-forwarded-for', 'x-request-id', 'dpop']) {
    for (const value of ['', '*', ',,,', 'q=;q=;q=', 'x'.repeat(4_000), '%00', '::::', 'a, b, c;q=nope']) {
      await look('/oauth2/authorize', { headers: { [header]: value } });
    }
  }
});

test.each(['/.well-known/x', '/oauth2/', '/oauth2/../admin', '/oauth2/%2e%2e/x', '/oauth2//token', '//oauth2/token'])(
  'S92 %s leads nowhere',
  async (path) => {
    await look(path);
    const { port, host } = new URL(postern.url);
    const answer = await sendRaw(Number(port), `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 [34]\d\d /);
  },
);

test('S39 S98 an endpoint has one spelling: what guards it can not be gone around by another', async () => {
  const audience = await createApi(postern, ['read']);
  const holder = await createService(postern, [`${audience}#read`]);
  const { body } = await clientCredentials(postern.url, holder);
  const alias = `jwt:${decodeJwt(String(body.access_token)).jti}`;
  for (const name of ['introspect/', 'INTROSPECT', 'Introspect', '%69ntrospect', 'introspect//', 'introspect;x']) {
    const answer = await postForm(`${postern.url}/oauth2/${name}`, { token: alias }, { authorization: holder.basic });
    expect({ name, status: answer.status, active: answer.body.active }).toEqual({
      name,
      status: 404,
      active: undefined,
    });
  }
  for (const path of ['/oauth2/token/', '/oauth2/TOKEN', '/oauth2/userinfo/', '/.well-known/openid-configuration/']) {
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${postern.url}${path}`, { method });
      await response.body?.cancel();
      expect({ path, status: response.status }).toEqual({ path, status: 404 });
    }
  }
});

test.each(['scope', 'claims', 'resource', 'any'])(
  'S92 a request object that is nested in %s exhausts nothing',
  async (name) => {
    const encode = (text: string) => Buffer.from(text).toString('base64url');
    const nested = `${'['.repeat(4_500)}${']'.repeat(4_500)}`;
    const times = `"iss":"${application.clientId}","aud":"${postern.url}","exp":${Math.floor(Date.now() / 1000) + 60}`;
    const body = `{${times},"client_id":"${application.clientId}","${name}":${name === 'claims' ? `{"a":${nested}}` : nested}}`;
    // Nobody has signed it: it is taken apart before that is seen.
    const request = `${encode('{"alg":"ES256"}')}.${encode(body)}.AAAA`;
    const { params } = codeRequest(application, { request });
    await look(authorizePath(params), {});
    const pushed = await postForm(`${postern.url}/oauth2/par`, params, asClient(application).headers);
    expect(pushed).toMatchObject({ status: 400, body: { error: 'invalid_request_object' } });
  },
);

test('S92 claims that are nested beyond any need are refused', async () => {
  const nested = `${'['.repeat(6_000)}${']'.repeat(6_000)}`;
  const request = (depth: string) => codeRequest(application, { claims: `{"id_token":{"email":{"value":${depth}}}}` });
  const headers = asClient(application).headers;
  const pushed = await postForm(`${postern.url}/oauth2/par`, request(nested).params, headers);
  expect(pushed).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  expect((await postForm(`${postern.url}/oauth2/par`, request('[["x"]]').params, headers)).status).toBe(201);
});

test('S92 NUL and half a character in what is stored of a request are refused, and harm nobody else', async () => {
  const cookie = agent.cookies.map((one) => `${one.name}=${one.value}`).join('; ');
  const claims = ['\\u0000', '\\ud800', '\\udc00x', '\\\\u0000'].map(
    (text) => `{"id_token":{"email":{"value":"${text}"}}}`,
  );
  for (const value of claims) {
    const { params } = codeRequest(application, { claims: value, prompt: 'none' });
    await look(authorizePath(params), { headers: { cookie } });
  }
  const good = await agent.get(authorizePath(codeRequest(application, { claims: claims[3] ?? '' }).params));
  expect(good.leaves?.searchParams.has('code')).toBe(true);
  // Events of many requests are written by one statement.
  const audience = await createApi(postern, ['read']);
  const holder = await createService(postern, [`${audience}#read`]);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      if (index % 2 === 0) return (await clientCredentials(postern.url, holder)).status;
      const clientId = `${'x'.repeat(511)}\u{1F4A9}`;
      return (await postForm(`${postern.url}/oauth2/token`, { grant_type: 'x', client_id: clientId })).status;
    }),
  );
  expect(new Set(answers)).toEqual(new Set([200, 401]));
});

test('S92 in all of that nothing failed inside', () => {
  const faults = postern.logged.filter(({ level }) => level === 'error' || level === 'fatal');
  expect(faults).toEqual([]);
});
