import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeOf, codeRequest, getCode, postForm, redeem } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  basic,
  createApplication,
  createPerson,
  createService,
  type Person,
  signIn,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { createSigningApplication, pathOf, push, pushed, requestObject, setProtocol } from '../support/requests.ts';
import { moveTime, resetTime } from '../support/time.ts';

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

const errorOf = (page: Page) => page.leaves?.searchParams.get('error') ?? page.html;
const hasCode = (page: Page) => page.leaves?.searchParams.has('code') ?? false;

function expectRefused(page: Page, error: RegExp): void {
  expect(hasCode(page)).toBe(false);
  expect(errorOf(page)).toMatch(error);
}

describe('S22 pushing', () => {
  test('S22 answers 201 with a reference for 60 seconds, and the browser needs nothing else', async () => {
    const { params, verifier } = codeRequest(application);
    const { status, body, headers } = await push(postern.url, application, params);
    expect(status).toBe(201);
    expect(body).toEqual({ expires_in: 60, request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:/) });
    expect(headers.get('cache-control')).toBe('no-store');
    const page = await agent.get(pathOf(application, String(body.request_uri)));
    expect(page.leaves?.searchParams.get('state')).toBe(params.state);
    expect(page.leaves?.searchParams.get('iss')).toBe(postern.url);
    expect((await redeem(postern.url, application, { code: codeOf(page), verifier })).status).toBe(200);
  });

  test('S22 a public client pushes as itself', async () => {
    const spa = await createApplication(postern, { type: 'spa' });
    const { path } = await pushed(postern.url, spa);
    expect((await agent.get(path)).leaves ?? (await agent.get(path)).text).toBeTruthy();
  });

  test('S22 nobody pushes for a client that they can not prove to be', async () => {
    const other = await createApplication(postern);
    const { params } = codeRequest(application);
    const send = (headers: Record<string, string>, extra: Record<string, string> = {}) =>
      postForm(`${postern.url}/oauth2/par`, { ...params, ...extra }, headers);
    const answers = [
      [await send({}), 401],
      [await send({ authorization: basic(application.clientId, 'wrong') }), 401],
      [await send({}, { client_secret: 'wrong' }), 401],
      [await send({ authorization: basic(other.clientId, other.secret) }), 400],
      [await send({ authorization: basic(application.clientId, application.secret) }, { client_secret: 'x' }), 400],
      [await send({}, { client_id: 'unknown' }), 401],
      [await send({}, { client_id: '' }), 400],
    ] as const;
    for (const [{ status, body }, expected] of answers) {
      expect([status, body.error]).toEqual([expected, expected === 401 ? 'invalid_client' : 'invalid_request']);
      expect(body).not.toHaveProperty('request_uri');
    }
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['no response_type', { response_type: undefined }, 'invalid_request'],
    ['another response_type', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['no redirect_uri', { redirect_uri: undefined }, 'invalid_request'],
    ['a foreign redirect_uri', { redirect_uri: 'https://attacker.example/callback' }, 'invalid_request'],
    ['a scope that was not given', { scope: 'openid groups' }, 'invalid_scope'],
    ['no code_challenge', { code_challenge: undefined }, 'invalid_request'],
    ['a plain code_challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['an unknown response_mode', { response_mode: 'web_message' }, 'unsupported_response_mode'],
    ['a signed response_mode', { response_mode: 'jwt' }, 'invalid_request'],
    ['an unknown prompt', { prompt: 'sing' }, 'invalid_request'],
    ['a max_age that is none', { max_age: '-1' }, 'invalid_request'],
    ['an unknown resource', { resource: 'https://nobody.example.com' }, 'invalid_target'],
    ['a request_uri', { request_uri: 'https://app.example.com/request' }, 'request_uri_not_supported'],
    ['claims that are not switched on', { claims: '{"id_token":{"email":null}}' }, 'invalid_request'],
    ['registration', { registration: '{}' }, 'registration_not_supported'],
  ])('S22 %s is refused at once', async (_name, change, error) => {
    const all = Object.entries({ ...codeRequest(application).params, ...change });
    const params = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { status, body } = await push(postern.url, application, params);
    expect({ status, error: body.error }).toEqual({ status: 400, error });
    expect(body).not.toHaveProperty('request_uri');
  });

  test('S22 S13 a doubled parameter, a body that is too long and a body of another kind are refused', async () => {
    const params = Object.entries(codeRequest(application).params);
    for (const name of ['state', 'redirect_uri', 'client_id', 'code_challenge']) {
      const value = params.find(([known]) => known === name)?.[1] ?? '';
      const { status, body } = await push(postern.url, application, [...params, [name, value]]);
      expect({ name, status, error: body.error }).toEqual({ name, status: 400, error: 'invalid_request' });
    }
    const long = await push(postern.url, application, [...params, ['ui_locales', 'x'.repeat(60_000)]]);
    expect([400, 413]).toContain(long.status);
    const json = await fetch(`${postern.url}/oauth2/par`, {
      method: 'POST',
      headers: { authorization: basic(application.clientId, application.secret), 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(params)),
    });
    expect(json.status).toBe(400);
  });

  test('S22 a service account has nothing to push', async () => {
    const service = await createService(postern);
    const answer = await push(
      postern.url,
      { ...application, ...service },
      codeRequest({ ...application, ...service }).params,
    );
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error: 'invalid_request' });
  });

  test('S89 S90 every push is in the audit log, and every refusal', async () => {
    const mine = await createApplication(postern);
    await pushed(postern.url, mine);
    await push(postern.url, mine, { ...codeRequest(mine).params, scope: 'openid groups' });
    await postForm(`${postern.url}/oauth2/par`, { client_id: mine.clientId, client_secret: 'wrong' });
    const rows = await postern.db.query<{ action: string; outcome: string; reason: string | null }>(
      'test-push-events',
      'SELECT action, outcome, reason FROM audit_event WHERE client_id = $1 AND action LIKE $2 ORDER BY id',
      [mine.clientId, 'authorization.%'],
    );
    expect(rows).toEqual([
      { action: 'authorization.push', outcome: 'success', reason: null },
      { action: 'authorization.refuse', outcome: 'denied', reason: 'invalid_scope' },
      { action: 'authorization.refuse', outcome: 'denied', reason: 'invalid_client' },
    ]);
  });
});

describe('S23 request_uri', () => {
  test('S23 S42 is unguessable, and stored as a digest', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => pushed(postern.url, application)));
    const ids = many.map(({ uri }) => uri.split(':').at(-1) ?? '');
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[\w-]{43}$/);
    const found = await postern.db.query(
      'test-find-raw',
      'SELECT 1 FROM token WHERE payload::text LIKE ANY($1) OR jti = ANY($2)',
      [ids.map((id) => `%${id}%`), ids],
    );
    expect(found).toEqual([]);
  });

  test('S23 is bound to its client', async () => {
    const other = await createApplication(postern, { redirectUris: [application.redirectUri] });
    const { uri } = await pushed(postern.url, application);
    expectRefused(await agent.get(pathOf(other, uri)), /invalid_request/);
    // It was not used up by that.
    expect(hasCode(await agent.get(pathOf(application, uri)))).toBe(true);
  });

  test('S23 ends after a minute', async () => {
    const { path } = await pushed(postern.url, application);
    moveTime(61);
    expectRefused(await agent.get(path), /invalid_request_uri/);
  });

  test('S23 reloading before the sign-in works, and afterwards nothing does', async () => {
    const { path } = await pushed(postern.url, application, { prompt: 'login' });
    const who = createAgent(postern.url);
    const first = await who.get(path);
    const again = await who.get(path);
    for (const page of [first, again]) expect(page.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
    expect(hasCode(await signIn(who, again, person))).toBe(true);
    expectRefused(await who.get(path), /invalid_request_uri/);
    expectRefused(await agent.get(path), /invalid_request_uri/);
  });

  test('S23 of two browsers that began with it one comes back, also when its minute is long over', async () => {
    const { path } = await pushed(postern.url, application);
    const [one, two] = [createAgent(postern.url), createAgent(postern.url)];
    const pages = [await one.get(path), await two.get(path)] as const;
    const helper = await createPerson(postern);
    expect(hasCode(await signIn(one, pages[0], helper))).toBe(true);
    moveTime(300);
    // What a job does to rows that have ended.
    await postern.db.query('test-clean', 'DELETE FROM token WHERE expires_at < $1', [new Date()]);
    expectRefused(await signIn(two, pages[1], helper), /invalid_request_uri/);
  });

  test.each([
    'urn:ietf:params:oauth:request_uri:',
    'urn:ietf:params:oauth:request_uri:unknown',
    `urn:ietf:params:oauth:request_uri:${'a'.repeat(43)}`,
    'urn:ietf:params:oauth:request_uri:%00',
    'https://app.example.com/request.jwt',
    'http://127.0.0.1:1/',
    'file:///etc/passwd',
    'x',
  ])('S23 %s is refused, and never fetched', async (uri) => {
    const page = await agent.get(pathOf(application, uri));
    expectRefused(page, /invalid_request_uri|request_uri_not_supported|error/);
    expect(page.status).toBeLessThan(500);
  });

  test('S23 what stands beside it in the address counts for nothing', async () => {
    const { path, params } = await pushed(postern.url, application);
    const beside = new URLSearchParams({ redirect_uri: 'https://attacker.example/', state: 'other', scope: 'openid' });
    const page = await agent.get(`${path}&${beside}`);
    expect(`${page.leaves?.origin}${page.leaves?.pathname}`).toBe(application.redirectUri);
    expect(page.leaves?.searchParams.get('state')).toBe(params.state);
  });

  test('S23 a request object that was pushed has its jti used up', async () => {
    const signing = await createSigningApplication(postern);
    const { params } = codeRequest(signing);
    const jti = crypto.randomUUID();
    const object = () => requestObject(signing, params, { claims: { jti } });
    expect((await push(postern.url, signing, { request: await object() })).status).toBe(201);
    const again = await push(postern.url, signing, { request: await object() });
    expect({ status: again.status, error: again.body.error }).toEqual({ status: 400, error: 'invalid_request_object' });
    // A forged one uses nobody's jti up.
    const free = crypto.randomUUID();
    const forged = await createSigningApplication(postern);
    const claims = { jti: free };
    await push(postern.url, signing, {
      request: await requestObject(signing, params, { claims, key: forged.privateKey }),
    });
    expect(
      (await push(postern.url, signing, { request: await requestObject(signing, params, { claims }) })).status,
    ).toBe(201);
  });
});

describe('S24 a client that has to push', () => {
  test('S24 can not authorize directly, by no parameter', async () => {
    const strict = await createSigningApplication(postern);
    await setProtocol(postern, strict.clientId, { requirePushedRequests: true });
    const { params } = codeRequest(strict);
    const object = await requestObject(strict, params);
    for (const given of [params, { client_id: strict.clientId, request: object }, { ...params, request: object }]) {
      const page = await agent.get(authorizePath(given));
      expectRefused(page, /invalid_request/);
      expect(page.leaves?.href ?? page.html).toMatch(/Pushed/);
    }
    expect(hasCode(await agent.get((await pushed(postern.url, strict)).path))).toBe(true);
    await setProtocol(postern, strict.clientId, { requirePushedRequests: false });
    expect(hasCode(await agent.get(authorizePath(codeRequest(strict).params)))).toBe(true);
  });

  test('S24 a disabled client pushes nothing, and what it pushed is void', async () => {
    const gone = await createApplication(postern);
    const { path } = await pushed(postern.url, gone);
    await postern.parts.applications.disable(gone.clientId, BY_TEST);
    const { status, body } = await push(postern.url, gone, codeRequest(gone).params);
    expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_client' });
    expectRefused(await agent.get(path), /invalid_client/);
  });
});

describe('over two processes', () => {
  let processes: PosternProcess[] = [];
  afterAll(() => Promise.all(processes.map((one) => one.stop())));

  test('S23 fifty uses of one request_uri at once: one comes back with a code', async () => {
    processes = await startProcesses(2, postern.databaseUrl);
    const [first, second] = processes as [PosternProcess, PosternProcess];
    // Theirs is the real time.
    resetTime();
    const browser = createAgent(first.url);
    await getCode(browser, application, await createPerson(postern));
    const { path } = await pushed(first.url, application);
    const tries = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? first : second));
    const cookie = browser.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const locations = await Promise.all(
      tries.map(async ({ url }) => {
        const response = await fetch(`${url}${path}`, { headers: { cookie }, redirect: 'manual' });
        await response.arrayBuffer();
        expect(response.status).toBeLessThan(500);
        return response.headers.get('location') ?? '';
      }),
    );
    expect(locations.filter((location) => location.includes('code='))).toHaveLength(1);
  });
});
