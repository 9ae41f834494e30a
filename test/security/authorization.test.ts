import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeOf, codeRequest, getCode, postForm, redeem } from '../support/oauth.ts';
import {
  type Application,
  asError,
  BY_TEST,
  createApplication,
  createPerson,
  createService,
  type Person,
  signIn,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';

let postern: Postern;
let person: Person;
let application: Application;
/** Signed in before the first test. */
let agent: Agent;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  application = await createApplication(postern);
  agent = createAgent(postern.url);
  await getCode(agent, application, person);
});
afterAll(() => postern.close());

/** A page of ours with no way on: nothing is sent to an address that was not proven to be the client's. */
function expectErrorPage(page: Page): void {
  expect(page.status).toBeGreaterThanOrEqual(400);
  expect(page.status).toBeLessThan(500);
  expect(page.headers.get('location')).toBeNull();
  expect(page.hops).toEqual([]);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  expect(page.html).not.toMatch(/http-equiv="?refresh/i);
}

function errorOf(page: Page): string | null | undefined {
  return page.leaves?.searchParams.get('error');
}

describe('redirect_uri', () => {
  const mutations: [string, (uri: string) => string][] = [
    ['a slash at the end', (uri) => `${uri}/`],
    ['a query', (uri) => `${uri}?next=1`],
    ['an empty query', (uri) => `${uri}?`],
    ['a fragment', (uri) => `${uri}#x`],
    ['a longer path', (uri) => `${uri}/more`],
    ['a dot segment', (uri) => uri.replace('/callback', '/x/../callback')],
    ['a percent-encoded letter', (uri) => uri.replace('/callback', '/%63allback')],
    ['another case of the path', (uri) => uri.replace('/callback', '/Callback')],
    ['another case of the host', (uri) => uri.replace('https://app', 'https://APP')],
    ['the default port', (uri) => uri.replace('.com/', '.com:443/')],
    ['another port', (uri) => uri.replace('.com/', '.com:8443/')],
    ['another scheme', (uri) => uri.replace('https:', 'http:')],
    ['a longer host', (uri) => uri.replace('.com/', '.com.attacker.example/')],
    ['a user part', (uri) => uri.replace('https://', 'https://attacker.example@')],
    ['a host as the user part', (uri) => uri.replace('.com/', '.com@attacker.example/')],
    ['a backslash', (uri) => uri.replace('https://', 'https:\\\\attacker.example/')],
    ['a space', (uri) => `${uri} `],
    ['a line break', (uri) => `${uri}\r\nx: y`],
    ['a NUL', (uri) => `${uri}\0`],
    ['another address', () => 'https://attacker.example/callback'],
    ['a script', () => 'javascript:alert(1)'],
    ['no URI at all', () => 'callback'],
  ];

  test.each(mutations)('S1 with %s: an error page and no Location', async (_name, mutate) => {
    const { params } = codeRequest(application, { redirect_uri: mutate(application.redirectUri) });
    expectErrorPage(await agent.get(authorizePath(params)));
    // What the request asks to be told of is not told there either.
    expectErrorPage(await agent.get(authorizePath({ ...params, prompt: 'none', response_type: 'token' })));
  });

  test("S1 another client's redirect URI is no better", async () => {
    const other = await createApplication(postern);
    const { params } = codeRequest(application, { redirect_uri: other.redirectUri });
    expectErrorPage(await agent.get(authorizePath(params)));
  });

  test('S1 an unknown client: an error page and no Location', async () => {
    const { params } = codeRequest(application, { client_id: 'app_unknown' });
    expectErrorPage(await agent.get(authorizePath(params)));
  });

  test('S2 of a native loopback redirect only the port may vary', async () => {
    const native = await createApplication(postern, { type: 'native', redirectUris: ['http://127.0.0.1/cb'] });
    const ask = (uri: string) => agent.get(authorizePath(codeRequest(native, { redirect_uri: uri }).params));
    const page = await ask('http://127.0.0.1:51999/cb');
    expect(page.leaves?.host).toBe('127.0.0.1:51999');
    for (const uri of [
      'http://127.0.0.1:51999/other',
      'http://127.0.0.1:51999/cb?x=1',
      'http://127.0.0.2:51999/cb',
      'http://localhost:51999/cb',
      'http://[::1]:51999/cb',
      'https://127.0.0.1:51999/cb',
    ]) {
      expectErrorPage(await ask(uri));
    }
  });

  test('S2 the port of a web client may not vary, on loopback either', async () => {
    const web = await createApplication(postern, { redirectUris: ['http://localhost:8000/cb'] });
    expectErrorPage(
      await agent.get(authorizePath(codeRequest(web, { redirect_uri: 'http://localhost:8001/cb' }).params)),
    );
  });

  test('S3 a missing redirect_uri is rejected, also where only one is registered', async () => {
    const { redirect_uri: _missing, ...params } = codeRequest(application).params;
    expectErrorPage(await agent.get(authorizePath(params)));
    expectErrorPage(await agent.get(authorizePath({ ...params, redirect_uri: '' })));
  });

  test.each([
    ['web', 'javascript:alert(1)'],
    ['web', 'JavaScript://example.com/%0aalert(1)'],
    ['web', 'data:text/html,x'],
    ['web', 'https://*.example.com/callback'],
    ['web', 'https://app.example.com/*'],
    ['web', 'http://app.example.com/callback'],
    ['web', 'https://app.example.com/callback#x'],
    ['web', 'com.example.app:/callback'],
    ['web', 'https://user:secret@app.example.com/'],
    ['spa', 'http://192.168.1.1/callback'],
    ['native', 'javascript:alert(1)'],
    ['native', 'vbscript:x'],
    ['native', 'http://app.example.com/callback'],
    ['native', 'app:/callback'],
  ] as const)('S4 a %s client can not register %s', async (type, uri) => {
    const before = await count('client');
    const refused = await asError(createApplication(postern, { type, redirectUris: [uri] }));
    expect(refused).toMatchObject({ code: 'invalid_input', status: 422 });
    expect(Object.keys(refused.fields ?? {})).toContain('redirectUris');
    expect(await count('client')).toBe(before);
  });

  test('S4 nor can it as an address to go to after signing out', async () => {
    const input = {
      name: 'x',
      type: 'web' as const,
      redirectUris: ['https://app.example.com/'],
      postLogoutRedirectUris: ['javascript:alert(1)'],
    };
    const refused = await asError(postern.parts.applications.create(input, BY_TEST));
    expect(refused).toMatchObject({ code: 'invalid_input', status: 422 });
  });
});

async function count(table: 'client'): Promise<number> {
  const [row] = await postern.db.query<{ n: number }>(`count-${table}`, `SELECT count(*)::int AS n FROM ${table}`, []);
  return row?.n ?? -1;
}

describe('what may be asked for', () => {
  test.each(['token', 'id_token', 'code token', 'code id_token', 'code id_token token', 'id_token token', 'none', ''])(
    'S5 response_type "%s" is refused',
    async (responseType) => {
      const page = await agent.get(authorizePath(codeRequest(application, { response_type: responseType }).params));
      expect(errorOf(page) ?? new URLSearchParams(page.leaves?.hash.slice(1)).get('error')).toMatch(
        /^(unsupported_response_type|invalid_request|unauthorized_client)$/,
      );
      expect(page.leaves?.href).not.toMatch(/access_token|id_token=|[?&#]code=/);
    },
  );

  test('S5 the password grant is refused', async () => {
    const service = await createService(postern);
    for (const { clientId, secret } of [application, service]) {
      const { status, body } = await postForm(`${postern.url}/oauth2/token`, {
        grant_type: 'password',
        username: person.email,
        password: person.password,
        client_id: clientId,
        client_secret: secret,
      });
      expect(status).toBe(400);
      expect(body.error).toMatch(/^(unsupported_grant_type|unauthorized_client)$/);
      expect(body).not.toHaveProperty('access_token');
    }
  });

  test.each<[string, Record<string, string | undefined>]>([
    ['absent', { code_challenge: undefined, code_challenge_method: undefined }],
    ['empty', { code_challenge: '' }],
    ['plain', { code_challenge_method: 'plain' }],
    ['plain by default', { code_challenge_method: undefined }],
    ['of an unknown method', { code_challenge_method: 'S512' }],
    ['too short', { code_challenge: 'abc' }],
    ['of forbidden characters', { code_challenge: '*'.repeat(43) }],
  ])('S6 a code_challenge that is %s is refused', async (_name, change) => {
    for (const client of [application, await createApplication(postern, { type: 'spa' })]) {
      const changed = { ...codeRequest(client).params, ...change };
      const params = Object.entries(changed).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const page = await agent.get(authorizePath(params));
      expect(errorOf(page)).toBe('invalid_request');
      expect(page.leaves?.searchParams.has('code')).toBe(false);
    }
  });

  test('S18 a scope that the application was not given is not granted, and neither is one that nobody has', async () => {
    const narrow = await createApplication(postern, { scopes: ['openid'] });
    for (const scope of [
      'openid',
      'openid email',
      'openid profile roles',
      'openid offline_access',
      'openid unheard-of',
    ]) {
      const { params, verifier } = codeRequest(narrow, {
        scope,
        prompt: scope.includes('offline') ? 'consent' : 'none',
      });
      const page = await agent.get(authorizePath(params));
      if (errorOf(page)) {
        expect({ scope, error: errorOf(page) }).toEqual({ scope, error: 'invalid_scope' });
        expect(scope).not.toBe('openid');
        continue;
      }
      const { body } = await redeem(postern.url, narrow, { code: codeOf(page), verifier });
      expect({ scope, granted: body.scope }).toEqual({ scope, granted: 'openid' });
      const claims = decodeJwt(String(body.id_token));
      for (const name of ['email', 'name', 'roles']) expect(claims).not.toHaveProperty(name);
    }
  });

  test.each(['web_message', 'query.jwt', 'jwt', 'anything'])('S21 response_mode %s is refused', async (mode) => {
    const page = await agent.get(authorizePath(codeRequest(application, { response_mode: mode }).params));
    expect(page.leaves?.searchParams.has('code') ?? false).toBe(false);
    expect(page.html + (page.leaves?.href ?? '')).toMatch(/unsupported_response_mode|invalid_request/);
  });

  test.each(['client_id', 'redirect_uri', 'scope', 'state', 'response_type', 'code_challenge', 'nonce', 'prompt'])(
    'S13 a second %s is an invalid request',
    async (name) => {
      const { params } = codeRequest(application);
      const twice = new URLSearchParams(params);
      twice.append(name, params[name] ?? 'none');
      if (!params[name]) twice.append(name, 'none');
      const page = await agent.get(authorizePath(twice));
      expect(page.leaves?.searchParams.has('code') ?? false).toBe(false);
      expect(errorOf(page) ?? page.html).toMatch(/invalid_request/);
      // Which of two clients or of two addresses is meant nobody can say: no redirect.
      if (name === 'client_id' || name === 'redirect_uri') expectErrorPage(page);
    },
  );

  test('S13 so it is at the token endpoint', async () => {
    const service = await createService(postern);
    for (const name of ['grant_type', 'scope', 'client_id']) {
      const form: [string, string][] = [
        ['grant_type', 'client_credentials'],
        ['client_id', service.clientId],
        ['client_secret', service.secret],
        ['scope', 'x'],
      ];
      form.push([name, form.find(([known]) => known === name)?.[1] ?? '']);
      const { status, body } = await postForm(`${postern.url}/oauth2/token`, form);
      expect({ name, status, error: body.error }).toEqual({ name, status: 400, error: 'invalid_request' });
    }
  });
});

describe('a request as a form (OpenID Connect Core section 3.1.2.1)', () => {
  const FORM = 'application/x-www-form-urlencoded';
  const send = (body: string, type = FORM) =>
    fetch(`${postern.url}/oauth2/authorize`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': type, origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' },
      body,
    });

  test('S17 becomes the same request as an address, by 303, with every parameter as it was', async () => {
    const { params, verifier } = codeRequest(application, { state: 'a b+c&d=e%20é' });
    const response = await send(new URLSearchParams(params).toString());
    expect(response.status).toBe(303);
    const to = new URL(response.headers.get('location') ?? '', postern.url);
    expect(to.origin + to.pathname).toBe(`${postern.url}/oauth2/authorize`);
    expect(Object.fromEntries(to.searchParams)).toEqual(params);
    const page = await agent.get(to.href);
    expect((await redeem(postern.url, application, { code: codeOf(page), verifier })).status).toBe(200);
  });

  test('S13 S1 hides nothing from the rules: doubled parameters and foreign addresses arrive as they are', async () => {
    const { params } = codeRequest(application);
    const twice = await send(`${new URLSearchParams(params)}&state=x`);
    expect(errorOf(await agent.get(twice.headers.get('location') ?? ''))).toBe('invalid_request');
    const foreign = new URLSearchParams({ ...params, redirect_uri: 'https://attacker.example/' });
    expectErrorPage(await agent.get((await send(foreign.toString())).headers.get('location') ?? ''));
  });

  test.each([
    ['a body that is too long for an address', `state=${'x'.repeat(7_000)}`, FORM],
    ['a body that is too long for anything', `state=${'x'.repeat(70_000)}`, FORM],
    ['JSON', '{}', 'application/json'],
    ['another kind', 'x', 'text/plain'],
  ])('S92 S98 %s is refused', async (_name, body, type) => {
    const response = await send(body, type);
    expect([response.status >= 400 && response.status < 500, response.headers.get('location')]).toEqual([true, null]);
  });
});

describe('the answer', () => {
  test('S12 iss is exact on success and on error', async () => {
    const good = await agent.get(authorizePath(codeRequest(application).params));
    expect(good.leaves?.searchParams.getAll('iss')).toEqual([postern.url]);
    const bad = await agent.get(authorizePath(codeRequest(application, { scope: 'openid unheard-of' }).params));
    const none = await createAgent(postern.url).get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
    for (const page of [bad, none]) {
      expect(page.leaves?.searchParams.getAll('iss')).toEqual([postern.url]);
    }
    expect(errorOf(none)).toBe('login_required');
  });

  test('S12 the state comes back as it was sent', async () => {
    const state = 'a b+c&d=e%20"<>\u00e9';
    const page = await agent.get(authorizePath(codeRequest(application, { state }).params));
    expect(page.leaves?.searchParams.get('state')).toBe(state);
  });

  test('S14 prompt=none never shows a page', async () => {
    const third = await createApplication(postern, { firstParty: false });
    const spa = await createApplication(postern, { type: 'spa', firstParty: false });
    const stranger = createAgent(postern.url);
    const ask = (who: Agent, client: Application, extra: Record<string, string> = {}) =>
      who.get(authorizePath(codeRequest(client, { prompt: 'none', ...extra }).params));
    const cases: [Page, string | null][] = [
      [await ask(stranger, application), 'login_required'],
      [await ask(agent, application), null],
      [await ask(agent, third), 'consent_required'],
      [await ask(agent, spa), 'consent_required'],
      [await ask(agent, application, { prompt: 'none login' }), 'invalid_request'],
      [await ask(agent, application, { id_token_hint: 'nonsense' }), 'invalid_request'],
    ];
    for (const [page, error] of cases) {
      expect(page.leaves?.origin).toMatch(/^https:\/\/app\d+\.example\.com$/);
      expect(page.hops).toHaveLength(1);
      expect(errorOf(page)).toBe(error);
    }
  });

  test('S17 what follows credentials is a 303', async () => {
    const fresh = createAgent(postern.url);
    const third = await createApplication(postern, { firstParty: false });
    const begun = await fresh.get(authorizePath(codeRequest(third).params));
    const factor = await fresh.submit(begun, 'password', { login: person.email, password: person.password });
    const consent = await fresh.submit(factor, 'code', { code: await person.code() });
    const back = await fresh.submit(consent, '/consent');
    for (const page of [factor, consent, back]) {
      expect(page.hops.length).toBeGreaterThan(0);
      expect(page.hops.map(({ status }) => status)).toEqual(page.hops.map(() => 303));
    }
    expect(back.leaves?.searchParams.has('code')).toBe(true);
  });
});

describe('how strong and how fresh', () => {
  async function authTime(who: Agent, extra: Record<string, string>): Promise<number> {
    const got = await getCode(who, application, person, extra);
    const { body } = await redeem(postern.url, application, got);
    return decodeJwt(String(body.id_token)).auth_time as number;
  }

  test('S15 prompt=login and max_age ask again, and auth_time moves on', async () => {
    const who = createAgent(postern.url);
    const first = await authTime(who, {});
    moveTime(120);
    expect(await authTime(who, {})).toBe(first);
    const second = await authTime(who, { prompt: 'login' });
    expect(second).toBeGreaterThanOrEqual(first + 120);
    moveTime(120);
    expect(await authTime(who, { max_age: '600' })).toBe(second);
    expect(await authTime(who, { max_age: '60' })).toBeGreaterThanOrEqual(second + 120);
  });

  test('S15 the password page of prompt=login can not be skipped by asking again', async () => {
    const who = agent.clone();
    const page = await who.get(authorizePath(codeRequest(application, { prompt: 'login' }).params));
    expect(page.leaves).toBeUndefined();
    const path = new URL(page.url).pathname;
    for (const next of [`${path}/factor`, `${path}/consent`, `${path}/recovery-codes`]) {
      const stays = await who.get(next);
      expect(stays.leaves).toBeUndefined();
      expect(stays.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
    }
  });

  test('S16 acr says what was done, and an essential one that can not be met fails', async () => {
    const got = await getCode(agent, application, person);
    const { body } = await redeem(postern.url, application, got);
    expect(decodeJwt(String(body.id_token))).toMatchObject({ acr: 'urn:postern:aal2', amr: ['pwd', 'otp', 'mfa'] });
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:postern:aal3' } } });
    const insists = await createApplication(postern);
    await postern.parts.applications.setProtocol(insists.clientId, { claimsParameter: true }, BY_TEST);
    const silent = await agent.get(authorizePath(codeRequest(insists, { claims, prompt: 'none' }).params));
    expect(silent.leaves?.searchParams.has('code') ?? false).toBe(false);
    expect(errorOf(silent)).not.toBe('invalid_request');
    const who = agent.clone();
    const page = await who.get(authorizePath(codeRequest(insists, { claims }).params));
    const after = page.leaves ? page : await signIn(who, page, person);
    expect(after.leaves?.searchParams.has('code') ?? false).toBe(false);
  });

  test('S16 one that can be met is told, and the claims parameter is refused where it is not switched on', async () => {
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:postern:aal2' }, name: null } });
    const refused = await agent.get(authorizePath(codeRequest(application, { claims }).params));
    expect(errorOf(refused)).toBe('invalid_request');
    const insists = await createApplication(postern);
    await postern.parts.applications.setProtocol(insists.clientId, { claimsParameter: true }, BY_TEST);
    const got = await getCode(agent.clone(), insists, person, { claims });
    const { body } = await redeem(postern.url, insists, got);
    expect(decodeJwt(String(body.id_token))).toMatchObject({ acr: 'urn:postern:aal2', name: person.name });
  });

  test('S16 S65 a session that is not two factors strong opens nothing', async () => {
    const who = createAgent(postern.url);
    const weak = await createPerson(postern);
    await getCode(who, application, weak);
    await postern.db.query(
      'test-weaken',
      `UPDATE session SET payload = jsonb_set(payload, '{acr}', '"urn:postern:aal1"') WHERE user_id = $1`,
      [weak.id],
    );
    const silent = await who.get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
    expect(errorOf(silent)).toBe('login_required');
    const page = await who.get(authorizePath(codeRequest(application).params));
    expect(page.leaves).toBeUndefined();
    expect(page.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
  });

  test('a wrong password leads to no code', async () => {
    const who = createAgent(postern.url);
    const page = await who.get(authorizePath(codeRequest(application).params));
    const again = await who.submit(page, 'password', { login: person.email, password: 'wrong password' });
    expect(again.leaves).toBeUndefined();
    expect(again.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
    expect(() => codeOf(again)).toThrow('no code');
  });
});
