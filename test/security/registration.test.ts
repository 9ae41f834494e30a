import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import type { PolicyInput } from '../../src/features/registration/policy.ts';
import { createAgent } from '../support/browserless.ts';
import { authorizePath, codeRequest } from '../support/oauth.ts';
import { asError, BY_TEST, createApplication, createPerson, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { ask, eventsOf, initialToken, plainWeb, register } from '../support/registration.ts';
import { moveTime, resetTime } from '../support/time.ts';

let postern: Postern;
let processes: PosternProcess[];
let token: string;
let url: string;

beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_REGISTRATION: 'token', POSTERN_TRUSTED_PROXIES: '127.0.0.1, ::1' } });
  processes = await startProcesses(2, postern.databaseUrl, {
    POSTERN_REGISTRATION: 'token',
    POSTERN_TRUSTED_PROXIES: '127.0.0.1, ::1',
  });
  token = (await initialToken(postern, { uses: 1_000 })).token;
  url = `${postern.url}/oauth2/register`;
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop('SIGKILL')));
  await postern.close();
});

let hosts = 0;
/** Each request from an address of its own, so that none is counted against another. */
const elsewhere = () => ({ 'x-forwarded-for': `203.0.113.${(hosts++ % 250) + 1}` });
/** A token of its own for each few requests: they are counted by token too. */
let taken = 0;
async function freshToken(policy?: PolicyInput): Promise<string> {
  if (policy) return (await initialToken(postern, { policy })).token;
  taken += 1;
  if (taken % 40 === 0) token = (await initialToken(postern, { uses: 1_000 })).token;
  return token;
}
const post = async (body: unknown, policy?: PolicyInput) =>
  ask('POST', url, await freshToken(policy), body, elsewhere());
const countClients = async () => {
  const [row] = await postern.db.query<{ n: number }>('test-clients', 'SELECT count(*)::int AS n FROM client', []);
  return row?.n ?? 0;
};

test('S54 off by default: the endpoint is in no metadata and answers 404', async () => {
  const plain = await startPostern({ databaseUrl: postern.databaseUrl });
  try {
    for (const path of ['openid-configuration', 'oauth-authorization-server']) {
      const metadata = await (await fetch(`${plain.url}/.well-known/${path}`)).json();
      expect(metadata).not.toHaveProperty('registration_endpoint');
    }
    for (const [method, path] of [
      ['POST', ''],
      ['GET', '/app_x'],
      ['PUT', '/app_x'],
      ['DELETE', '/app_x'],
    ] as const) {
      const body = method === 'POST' || method === 'PUT' ? plainWeb : undefined;
      expect((await ask(method, `${plain.url}/oauth2/register${path}`, token, body)).status).toBe(404);
    }
  } finally {
    await plain.close({ keepTime: true });
  }
  const metadata = await (await fetch(`${postern.url}/.well-known/openid-configuration`)).json();
  expect(metadata).toMatchObject({ registration_endpoint: url });
});

describe('who may register', () => {
  test('S89 S90 nobody without a token, and each refusal is in the audit log', async () => {
    const before = await countClients();
    const bad = [undefined, 'x', `${token}x`, token.slice(0, -1), '0'.repeat(5_000)];
    for (const one of bad) {
      const { status, headers, body } = await ask('POST', url, one, plainWeb, elsewhere());
      expect([one?.slice(0, 8), status]).toEqual([one?.slice(0, 8), 401]);
      expect(body.error).toBe('invalid_token');
      // RFC 6750 section 3.1: who brought no token is told no error in the header.
      expect(headers.get('www-authenticate')).toMatch(
        one === undefined ? /^Bearer realm="[^"]+"$/ : /error="invalid_token"/,
      );
    }
    expect(await countClients()).toBe(before);
    const events = await eventsOf(postern, 'client.register');
    expect(events.filter(({ outcome }) => outcome === 'denied').length).toBeGreaterThanOrEqual(bad.length);
    expect(JSON.stringify(events)).not.toContain(token);
  });

  test('a token counts in the header alone, and once in the request', async () => {
    const inQuery = await ask('POST', `${url}?access_token=${token}`, undefined, plainWeb, elsewhere());
    expect([inQuery.status, inQuery.body.error]).toEqual([400, 'invalid_request']);
    const twice = await ask('POST', `${url}?access_token=${token}`, token, plainWeb, elsewhere());
    expect(twice.status).toBe(400);
    const form = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...elsewhere() },
      body: new URLSearchParams({ client_name: 'x' }),
    });
    expect(form.status).toBe(400);
  });

  test('not with a token that was revoked, that has ended, or that is used up', async () => {
    const revoked = await initialToken(postern);
    await postern.parts.registration.tokens.revoke(revoked.id, BY_TEST);
    expect((await ask('POST', url, revoked.token, plainWeb, elsewhere())).status).toBe(401);
    expect(await asError(postern.parts.registration.tokens.revoke(revoked.id, BY_TEST))).toMatchObject({ status: 409 });

    const once = await initialToken(postern, { uses: 1 });
    expect((await ask('POST', url, once.token, plainWeb, elsewhere())).status).toBe(201);
    expect((await ask('POST', url, once.token, plainWeb, elsewhere())).status).toBe(401);

    const day = await initialToken(postern);
    moveTime(24 * 3_600 + 1);
    try {
      expect((await ask('POST', url, day.token, plainWeb, elsewhere())).status).toBe(401);
    } finally {
      resetTime();
    }
    expect((await ask('POST', url, day.token, plainWeb, elsewhere())).status).toBe(201);
  });

  test('a token lives 90 days at the most, and makes so many applications at the most', async () => {
    const { tokens } = postern.parts.registration;
    const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
    for (const [field, input] of [
      ['expires', { expires: at(91) }],
      ['expires', { expires: at(-1) }],
      ['expires', { expires: '2027-02-31T00:00' }],
      ['uses', { uses: 0 }],
      ['uses', { uses: '1e9' }],
      ['redirectHosts', { policy: { redirectHosts: ['*'] } }],
      ['redirectHosts', { policy: { redirectHosts: ['*.*.example.com'] } }],
      ['authMethods', { policy: { applicationTypes: ['web' as const], authMethods: ['none' as const] } }],
      ['permissions', { policy: { permissions: ['https://nowhere.example.com#read'] } }],
    ] as const) {
      const error = await asError(tokens.create({ name: 'x', policy: {}, ...input } as never, BY_TEST));
      expect([Object.keys(error.fields ?? {}), input]).toEqual([[field], input]);
    }
  });

  test('S86 S42 tokens and secrets are stored as digests alone, and stand in no log', async () => {
    const mine = await initialToken(postern);
    const { body } = await ask('POST', url, mine.token, plainWeb, elsewhere());
    const hidden = [mine.token, body.client_secret ?? '?', body.registration_access_token ?? '?'];
    for (const value of hidden) expect(value.length).toBeGreaterThan(40);
    const tables = ['client', 'client_secret', 'client_registration', 'initial_access_token', 'audit_event', 'token'];
    for (const table of tables) {
      const rows = await postern.db.query<{ row: string }>(
        `test-${table}`,
        `SELECT t::text AS row FROM ${table} t`,
        [],
      );
      const all = rows.map(({ row }) => row).join('\n');
      expect(hidden.filter((value) => all.includes(value))).toEqual([]);
    }
    expect(hidden.filter((value) => postern.lines.some((line) => line.includes(value)))).toEqual([]);
  });

  test('S10 50 uses of a token for seven, over two processes, make exactly seven clients', async () => {
    const { id, token: seven } = await initialToken(postern, { uses: 7 });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        ask('POST', `${processes[at % 2]?.url}/oauth2/register`, seven, plainWeb, elsewhere()),
      ),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made.length).toBe(7);
    expect(new Set(made.map(({ body }) => body.client_id)).size).toBe(7);
    // The others came too late, or found the service busy.
    expect(answers.filter(({ status }) => ![201, 401, 429, 503].includes(status))).toEqual([]);
    expect((await postern.parts.registration.tokens.applicationsOf(id)).length).toBe(7);
    expect(await postern.parts.registration.tokens.byId(id)).toMatchObject({ used: 7, uses: 7 });
  });

  test('a token that is tried too often has to wait', async () => {
    const { token: busy } = await initialToken(postern);
    const answers = await Promise.all(
      Array.from({ length: 70 }, () => ask('POST', url, busy, { redirect_uris: [] }, elsewhere())),
    );
    expect(answers.filter(({ status }) => status === 429).length).toBe(10);
    const from = { 'x-forwarded-for': '198.51.100.7' };
    const guesses = await Promise.all(
      Array.from({ length: 125 }, (_, at) => ask('POST', url, `guess-${at}`, plainWeb, from)),
    );
    const limited = guesses.filter(({ status }) => status === 429);
    expect(limited.length).toBe(5);
    expect(limited[0]?.headers.get('retry-after')).toMatch(/^\d+$/);
  });
});

describe('S4 hostile metadata is refused, and nothing is registered', () => {
  const uri = (one: unknown) => ({ redirect_uris: [one] });
  const REDIRECTS: [string, unknown][] = [
    ['javascript', uri('javascript:alert(1)')],
    ['data', uri('data:text/html,x')],
    ['a wildcard', uri('https://*.example.com/cb')],
    ['remote http', uri('http://shop.example.com/cb')],
    ['a fragment', uri('https://shop.example.com/cb#x')],
    ['a user name', uri('https://shop@evil.example.com/cb')],
    ['a custom scheme for a web application', uri('com.example.app:/cb')],
    ['a relative address', uri('/cb')],
    ['no host', uri('https:///cb')],
    ['a space', uri('https://shop.example.com/a b')],
    ['a line break', uri('https://shop.example.com/\n')],
    ['NUL', uri('https://shop.example.com/\0')],
    ['another script', uri('https://exämple.com/cb')],
    ['a number', uri(7)],
    ['an object', uri({ not: '' })],
    ['text for a list', { redirect_uris: 'https://shop.example.com/cb' }],
    ['an object for a list', { redirect_uris: { length: 1, 0: 'https://shop.example.com/cb' } }],
    ['an empty list', { redirect_uris: [] }],
    ['none', { redirect_uris: undefined }],
    ['the same twice', { redirect_uris: ['https://a.example.com/', 'https://a.example.com/'] }],
    ['far too many', { redirect_uris: Array.from({ length: 51 }, (_, at) => `https://a.example.com/${at}`) }],
    ['one that is far too long', uri(`https://a.example.com/${'a'.repeat(2_000)}`)],
    ['a scheme without a dot', { application_type: 'native', redirect_uris: ['myapp:/cb'] }],
    ['https on loopback for a native one', { application_type: 'native', redirect_uris: ['https://127.0.0.1/cb'] }],
  ];
  test.each(REDIRECTS)('redirect address: %s', async (_, extra) => {
    const before = await countClients();
    const { status, body } = await post({ ...plainWeb, ...(extra as object) });
    expect([status, body.error]).toEqual([400, 'invalid_redirect_uri']);
    expect(body.error_description).toMatch(/^redirect_uris/);
    expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(await countClients()).toBe(before);
  });

  const METADATA: [string, string, unknown][] = [
    ['the grant type client_credentials', 'grant_types', { grant_types: ['authorization_code', 'client_credentials'] }],
    ['the implicit grant', 'grant_types', { grant_types: ['implicit'] }],
    ['the password grant', 'grant_types', { grant_types: ['password'] }],
    ['grant types of another kind', 'grant_types', { grant_types: { not: '' } }],
    ['the response type token', 'response_types', { response_types: ['code', 'token'] }],
    ['a hybrid response type', 'response_types', { response_types: ['code id_token'] }],
    ['client_secret_post', 'token_endpoint_auth_method', { token_endpoint_auth_method: 'client_secret_post' }],
    ['client_secret_jwt', 'token_endpoint_auth_method', { token_endpoint_auth_method: 'client_secret_jwt' }],
    ['tls_client_auth', 'token_endpoint_auth_method', { token_endpoint_auth_method: 'tls_client_auth' }],
    ['a method that is an object', 'token_endpoint_auth_method', { token_endpoint_auth_method: { a: 1 } }],
    ['a method that is a list', 'token_endpoint_auth_method', { token_endpoint_auth_method: ['none'] }],
    [
      'a method that is no text and can not be made one',
      'token_endpoint_auth_method',
      { token_endpoint_auth_method: { toString: 1, valueOf: 1 } },
    ],
    [
      'a native application with a secret',
      'token_endpoint_auth_method',
      { application_type: 'native', token_endpoint_auth_method: 'client_secret_basic', redirect_uris: ['a.b:/cb'] },
    ],
    ['another type of application', 'application_type', { application_type: 'service' }],
    ['a scope that is not allowed', 'scope', { scope: 'openid roles' }],
    ['the scope of an API', 'scope', { scope: 'openid read' }],
    ['a secret of its own', 'client_secret', { client_secret: 'correct horse battery staple' }],
    ['a name with control characters', 'client_name', { client_name: 'Shop\u001b[31m' }],
    ['a name that runs backwards', 'client_name', { client_name: 'Shop\u202egpj' }],
    ['half a character', 'client_name', { client_name: 'Shop \ud800' }],
    ['a name that nobody sees', 'client_name', { client_name: '\u200b\u2060' }],
    ['a name in two lines', 'client_name', { client_name: 'Shop\u2028Postern' }],
    ['a name that is too long', 'client_name', { client_name: 'x'.repeat(101) }],
    ['a name that is a list', 'client_name', { client_name: ['x'] }],
    ['a policy address that runs', 'policy_uri', { policy_uri: 'javascript:alert(1)' }],
    ['a logo over http', 'logo_uri', { logo_uri: 'http://shop.example.com/logo.png' }],
    ['contacts of another kind', 'contacts', { contacts: 'ops@example.com' }],
    ['too many contacts', 'contacts', { contacts: Array.from({ length: 11 }, () => 'a@example.com') }],
    ['NUL in software_id', 'software_id', { software_id: 'a\0b' }],
    ['keys and an address of keys', 'jwks', { jwks: 'EC', jwks_uri: 'https://shop.example.com/jwks' }],
    ['a private key', 'jwks', { jwks: 'private' }],
    ['a shared secret for a key', 'jwks', { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    ['no keys where they are needed', 'jwks', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['keys of a public client', 'jwks', { jwks: 'EC', token_endpoint_auth_method: 'none' }],
    ['keys behind a password', 'jwks_uri', { jwks_uri: 'https://a:b@shop.example.com/jwks' }],
    ['keys in a file', 'jwks_uri', { jwks_uri: 'file:///etc/passwd' }],
    ['keys over http', 'jwks_uri', { jwks_uri: 'http://shop.example.com/jwks' }],
    ['keys at no address', 'jwks_uri', { jwks_uri: 'jwks' }],
    ['pairwise subjects', 'subject_type', { subject_type: 'pairwise' }],
    ['a sector', 'sector_identifier_uri', { sector_identifier_uri: 'https://shop.example.com/sector' }],
    ['unsigned ID tokens', 'id_token_signed_response_alg', { id_token_signed_response_alg: 'none' }],
    ['encrypted ID tokens', 'id_token_encrypted_response_alg', { id_token_encrypted_response_alg: 'RSA-OAEP' }],
    ['an algorithm that is a number', 'userinfo_signed_response_alg', { userinfo_signed_response_alg: 7 }],
    ['notices of sign-outs', 'backchannel_logout_uri', { backchannel_logout_uri: 'https://127.0.0.1/out' }],
    ['request objects by address', 'request_uris', { request_uris: ['https://127.0.0.1/r'] }],
    ['bound certificates', 'tls_client_certificate', { tls_client_certificate_bound_access_tokens: true }],
    ['a certificate', 'tls_client_auth_subject_dn', { tls_client_auth_subject_dn: 'CN=x' }],
    ['a switch that is a word', 'dpop_bound_access_tokens', { dpop_bound_access_tokens: 'yes' }],
    ['a wrong place to go after signing out', 'post_logout_redirect_uris', { post_logout_redirect_uris: ['//x'] }],
  ];
  test.each(METADATA)('%s', async (_, field, extra) => {
    const given = extra as { jwks?: unknown };
    if (given.jwks === 'EC' || given.jwks === 'private') {
      const pair = await generateKeyPair('ES256', { extractable: true });
      given.jwks = { keys: [await exportJWK(given.jwks === 'EC' ? pair.publicKey : pair.privateKey)] };
    }
    const before = await countClients();
    const { status, body } = await post({ ...plainWeb, ...given });
    expect([status, body.error]).toEqual([400, 'invalid_client_metadata']);
    expect(body.error_description?.startsWith(field)).toBe(true);
    const denied = (await eventsOf(postern, 'client.register')).filter(({ outcome }) => outcome === 'denied');
    const data = expect.objectContaining({ detail: body.error_description });
    expect(denied).toContainEqual(expect.objectContaining({ reason: 'invalid_client_metadata', data }));
    expect(await countClients()).toBe(before);
  });

  test('a software statement', async () => {
    const { status, body } = await post({ ...plainWeb, software_statement: 'a.b.c' });
    expect([status, body.error]).toEqual([400, 'unapproved_software_statement']);
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['text', '"x"'],
    ['null', 'null'],
    ['deep nesting', `{"redirect_uris":["https://a.example.com/"],"a":${'['.repeat(11)}${']'.repeat(11)}}`],
    ['too much', JSON.stringify({ ...plainWeb, a: 'x'.repeat(60_000) })],
  ])('S92 a body that is %s', async (_, body) => {
    const { status, body: answer } = await post(body);
    expect([status, answer.error]).toEqual([400, expect.stringMatching(/^invalid_/)]);
  });

  test('what is not known is left out, and never stored', async () => {
    const { status, body } = await post({
      ...plainWeb,
      'client_name#ja': 'x',
      client_id: 'chosen',
      first_party: true,
      firstParty: true,
      permissions: ['x'],
      settings: { fapi: true },
      disabled_at: null,
      __proto__: { a: 1 },
      constructor: { prototype: { a: 1 } },
      registration_access_token: 'chosen',
    });
    expect(status).toBe(201);
    expect(body.client_id).not.toBe('chosen');
    expect(body.registration_access_token).not.toBe('chosen');
    const [row] = await postern.db.query<{ client: string; told: string }>(
      'test-registered-row',
      `SELECT c::text AS client, r.metadata::text AS told FROM client c JOIN client_registration r USING (client_id)
       WHERE client_id = $1`,
      [body.client_id],
    );
    expect(row?.told).toBe('{}');
    expect(row?.client).not.toMatch(/chosen|fapi|#ja/);
    expect(await postern.parts.applications.byClientId(body.client_id ?? '')).toMatchObject({ firstParty: false });
  });
});

test('S19 an address of a native application never passes for a host', async () => {
  const { body } = await post({
    application_type: 'native',
    redirect_uris: ['com.example.evil://bank.example.com/cb'],
  });
  expect(body.client_name).toBe('com.example.evil');
  const [redirectUri = ''] = body.redirect_uris as string[];
  const native = { clientId: String(body.client_id), secret: '', redirectUri, postLogoutRedirectUri: '' };
  const agent = createAgent(postern.url);
  const page = await agent.get(authorizePath(codeRequest(native, { scope: 'openid' }).params));
  const consent = await signIn(agent, page, await createPerson(postern));
  expect(consent.url).toMatch(/\/consent$/);
  expect(consent.text).toContain('com.example.evil://bank.example.com/cb');
});

describe('a policy holds', () => {
  const native = { application_type: 'native', redirect_uris: ['com.example.app:/cb'] };
  test.each<[string, PolicyInput, object, string | undefined]>([
    [
      'an exact host',
      { redirectHosts: ['app.example.com'] },
      { redirect_uris: ['https://app.example.com/cb'] },
      undefined,
    ],
    [
      'another host',
      { redirectHosts: ['app.example.com'] },
      { redirect_uris: ['https://b.example.com/cb'] },
      'redirect_uris[0]',
    ],
    [
      'a host below',
      { redirectHosts: ['*.example.com'] },
      { redirect_uris: ['https://a.b.example.com/cb'] },
      undefined,
    ],
    [
      'the host itself',
      { redirectHosts: ['*.example.com'] },
      { redirect_uris: ['https://example.com/cb'] },
      'redirect_uris[0]',
    ],
    [
      'a look-alike',
      { redirectHosts: ['*.example.com'] },
      { redirect_uris: ['https://badexample.com/cb'] },
      'redirect_uris[0]',
    ],
    [
      'a suffix',
      { redirectHosts: ['*.example.com'] },
      { redirect_uris: ['https://a.example.com.evil.org/'] },
      'redirect_uris[0]',
    ],
    [
      'the second address',
      { redirectHosts: ['a.example.com'] },
      { redirect_uris: ['https://a.example.com/', 'https://b.example.com/'] },
      'redirect_uris[1]',
    ],
    [
      'after signing out',
      { redirectHosts: ['shop.example.com'] },
      { post_logout_redirect_uris: ['https://b.example.com/'] },
      'post_logout_redirect_uris[0]',
    ],
    ['a scheme', { redirectHosts: ['com.example.app:'] }, native, undefined],
    ['another scheme', { redirectHosts: ['com.example.other:'] }, native, 'redirect_uris[0]'],
    [
      'loopback that is not listed',
      { redirectHosts: ['a.example.com'] },
      { redirect_uris: ['http://localhost/cb'] },
      'redirect_uris[0]',
    ],
    ['no native ones', { applicationTypes: ['web', 'spa'] }, native, 'application_type'],
    [
      'no single-page ones',
      { applicationTypes: ['web', 'native'] },
      { token_endpoint_auth_method: 'none' },
      'application_type',
    ],
    ['no secrets', { authMethods: ['private_key_jwt', 'none'] }, {}, 'token_endpoint_auth_method'],
    ['keys', { keysRequired: true }, {}, 'jwks'],
    [
      'no refresh tokens',
      { grantTypes: ['authorization_code'] },
      { grant_types: ['authorization_code', 'refresh_token'] },
      'grant_types',
    ],
    ['fewer scopes', { scopes: ['openid'] }, { scope: 'openid email' }, 'scope'],
    ['more scopes', { scopes: ['openid', 'roles'] }, { scope: 'openid roles' }, undefined],
  ])('%s', async (_, policy, extra, field) => {
    const { status, body } = await post({ ...plainWeb, ...extra }, policy);
    expect([status, body.error_description?.split(' ')[0]]).toEqual([field ? 400 : 201, field]);
  });

  test('it is the one of registration that holds for a change, also when the token is gone', async () => {
    const limited = await initialToken(postern, {
      policy: { redirectHosts: ['shop.example.com'], scopes: ['openid'] },
    });
    const { body } = await ask('POST', url, limited.token, plainWeb, elsewhere());
    await postern.parts.registration.tokens.revoke(limited.id, BY_TEST);
    const at = `${url}/${body.client_id}`;
    const put = (extra: object) =>
      ask('PUT', at, body.registration_access_token, { ...plainWeb, client_id: body.client_id, ...extra }, elsewhere());
    expect((await put({ redirect_uris: ['https://evil.example.com/'] })).body.error).toBe('invalid_redirect_uri');
    expect((await put({ scope: 'openid email' })).body.error).toBe('invalid_client_metadata');
    expect((await put({ client_name: 'Still mine' })).status).toBe(200);
  });
});

describe('managing', () => {
  const make = async () => (await post(plainWeb)).body;

  test("S83 another client's token opens nothing, and keeps working for its own", async () => {
    const [one, two] = [await make(), await make()];
    const other = `${url}/${two.client_id}`;
    const admins = (await createApplication(postern)).clientId;
    for (const at of [other, `${url}/${admins}`, `${url}/app_nobody`, `${url}/postern`]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? { ...plainWeb, client_id: at.split('/').at(-1) } : undefined;
        const answer = await ask(method, at, one.registration_access_token, body, elsewhere());
        expect([method, at, answer.status, answer.body.error]).toEqual([method, at, 401, 'invalid_token']);
      }
    }
    expect(
      (await ask('GET', `${url}/${one.client_id}`, one.registration_access_token, undefined, elsewhere())).status,
    ).toBe(200);
    expect((await ask('GET', other, two.registration_access_token, undefined, elsewhere())).status).toBe(200);
    const denied = await eventsOf(postern, 'client.registration_delete');
    expect(denied.some(({ outcome, reason }) => outcome === 'denied' && reason === 'invalid_token')).toBe(true);
  });

  test('S39 tokens of other kinds are none of these', async () => {
    const mine = await make();
    const at = `${url}/${mine.client_id}`;
    for (const wrong of [token, mine.client_secret, 'sha256:', undefined]) {
      const { status } = await ask('GET', at, wrong, undefined, elsewhere());
      expect([400, 401]).toContain(status);
    }
    expect((await ask('POST', url, mine.registration_access_token, plainWeb, elsewhere())).status).toBe(401);
  });

  test('id, secret, tokens and times can not be chosen', async () => {
    const mine = await make();
    const at = `${url}/${mine.client_id}`;
    const put = (extra: object) =>
      ask('PUT', at, mine.registration_access_token, { ...plainWeb, client_id: mine.client_id, ...extra }, elsewhere());
    const [stored] = await postern.db.query<{ hash: string }>(
      'test-secret-hash',
      "SELECT encode(secret_hash, 'hex') AS hash FROM client_secret WHERE client_id = $1",
      [mine.client_id],
    );
    for (const extra of [
      { client_id: 'app_other' },
      { client_id: undefined },
      { client_secret: 'chosen' },
      // What is stored is no secret, and is compared with none.
      { client_secret: `sha256:${stored?.hash}:` },
      { client_secret: ['x'] },
      { registration_access_token: 'chosen' },
      { registration_client_uri: at },
      { client_secret_expires_at: 0 },
      { client_id_issued_at: 1 },
      { application_type: 'native', redirect_uris: ['a.b:/cb'] },
      { token_endpoint_auth_method: 'none' },
    ]) {
      const { status, body } = await put(extra);
      expect([extra, status, body.client_id]).toEqual([extra, 400, undefined]);
    }
    expect((await put({})).status).toBe(200);
  });

  test('S10 of 20 changes with one token, over two processes, one wins', async () => {
    const mine = await make();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        ask(
          'PUT',
          `${processes[at % 2]?.url}/oauth2/register/${mine.client_id}`,
          mine.registration_access_token,
          { ...plainWeb, client_id: mine.client_id, client_name: `Name ${at}` },
          elsewhere(),
        ),
      ),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won.length).toBe(1);
    const now = await postern.parts.applications.byClientId(mine.client_id ?? '');
    expect(now?.name).toBe(won[0]?.body.client_name);
    const [winner] = won;
    const at = `${url}/${mine.client_id}`;
    expect((await ask('GET', at, winner?.body.registration_access_token, undefined, elsewhere())).status).toBe(200);
    expect((await ask('GET', at, mine.registration_access_token, undefined, elsewhere())).status).toBe(401);
  });

  test('what an admin decided, the client can not undo', async () => {
    const mine = await make();
    const id = mine.client_id ?? '';
    const { applications } = postern.parts;
    await applications.setProtocol(id, { dpopBound: true }, BY_TEST);
    const put = (bearer: string | undefined, extra: object = {}) =>
      ask('PUT', `${url}/${id}`, bearer, { ...plainWeb, client_id: id, ...extra }, elsewhere());
    const first = await put(mine.registration_access_token, { dpop_bound_access_tokens: false });
    expect([first.status, first.body.dpop_bound_access_tokens]).toEqual([200, true]);

    const { name, redirectUris, postLogoutRedirectUris } = (await applications.byClientId(id)) ?? {};
    const scopes = ['openid' as const];
    const update = {
      name: name ?? '',
      redirectUris: redirectUris ?? [],
      postLogoutRedirectUris,
      scopes,
      firstParty: true,
    };
    await applications.update(id, update, BY_TEST);
    const bearer = first.body.registration_access_token;
    const refused = await put(bearer, { redirect_uris: ['https://elsewhere.example.com/'] });
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_client_metadata']);
    expect((await applications.byClientId(id))?.redirectUris).toEqual(plainWeb.redirect_uris);
    // A refused change leaves the token as it was.
    expect((await ask('GET', `${url}/${id}`, bearer, undefined, elsewhere())).status).toBe(200);
  });

  test('S78 a client that an admin disabled or deleted manages nothing, on any process', async () => {
    const mine = await make();
    const id = mine.client_id ?? '';
    await postern.parts.applications.disable(id, BY_TEST);
    for (const process of processes) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? { ...plainWeb, client_id: id } : undefined;
        const at = `${process.url}/oauth2/register/${id}`;
        const { status } = await ask(method, at, mine.registration_access_token, body, elsewhere());
        expect([method, status]).toEqual([method, 401]);
      }
    }
    expect(await postern.parts.applications.byClientId(id)).not.toBeNull();
    await postern.parts.applications.remove(id, BY_TEST);
    expect((await ask('GET', `${url}/${id}`, mine.registration_access_token, undefined, elsewhere())).status).toBe(401);
  });

  test('S98 S55 other methods, other paths and other origins', async () => {
    const mine = await make();
    const at = `${url}/${mine.client_id}`;
    for (const [method, path] of [
      ['GET', url],
      ['PUT', url],
      ['DELETE', url],
      ['OPTIONS', url],
      ['POST', at],
      ['PATCH', at],
      ['OPTIONS', at],
    ] as const) {
      const { status, headers } = await ask(method, path, mine.registration_access_token, undefined, elsewhere());
      expect([method, path, status]).toEqual([method, path, 405]);
      expect(headers.get('allow')).toBeTruthy();
    }
    for (const path of [`${url}/`, `${at}/`, `${at}/x`, `${url}/a.b`, `${postern.url}/OAUTH2/register`]) {
      expect([path, (await ask('GET', path, mine.registration_access_token)).status]).toEqual([path, 404]);
    }
    const origin = { origin: 'https://evil.example.com', ...elsewhere() };
    const crossed = await ask('GET', at, mine.registration_access_token, undefined, origin);
    expect(crossed.headers.get('access-control-allow-origin')).toBeNull();
  });
});

test('a refused attempt uses nothing up', async () => {
  const once = await initialToken(postern, { uses: 1 });
  expect((await register(postern.url, once.token, { redirect_uris: ['x'] })).status).toBe(400);
  expect((await register(postern.url, once.token, plainWeb)).status).toBe(201);
});
