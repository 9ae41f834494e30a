import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CLIENT_CHANGED } from '../../src/platform/db/notify.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createHolder, postWithProof } from '../support/dpop.ts';
import { createChain, exchange } from '../support/exchange.ts';
import { asClient, clientCredentials, getCode, postForm, redeem } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { everythingTold } from '../support/told.ts';

// A request that names its content coding is left to the library: the same request goes through both ways, and nothing
// about the answers may tell them apart.
const THROUGH_LIBRARY = { 'content-encoding': 'identity' };
const PAIRS = 500;
const LONG_MS = 120_000;
const SCOPES = ['openid', 'profile', 'email', 'roles', 'groups', 'offline_access'] as const;

let postern: Postern;
/** What the tokens are called → the tokens. */
const good = new Map<string, string>();
const bad = new Map<string, string>();
/** One for each person: to sign in again takes a new code, and half a minute of the tokens' five. */
const browsers = new Map<string, Agent>();
let seed = 20_261_123;

/** Mulberry32: the same requests in every run. */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** One of the good values, or now and then one of the bad ones: several faults at once would hide each other. */
function mostly<T>(usual: readonly T[], unusual: readonly T[]): T {
  return pick(random() < 0.85 ? usual : unusual);
}

function keep(tokens: Map<string, string>, name: string, token: string | undefined): string {
  if (!token) throw new Error(`no token: ${name}`);
  tokens.set(name, token);
  return token;
}

const hash = (token: string) => createHash('sha256').update(token).digest();

async function tokensOf(application: Application, person: Person, extra: Record<string, string> = {}) {
  const agent = browsers.get(person.id) ?? createAgent(postern.url);
  browsers.set(person.id, agent);
  return (await redeem(postern.url, application, await getCode(agent, application, person, extra))).body;
}

beforeAll(async () => {
  postern = await startPostern();
  await makeDead();
  await makeOthers();
  await makeGood();
}, LONG_MS);

afterAll(() => postern.close());

async function makeGood(): Promise<void> {
  const person = await createPerson(postern);
  await grantRole(postern, person, []);
  await grantRole(postern, person, []);
  const application = await createApplication(postern, { scopes: [...SCOPES] });
  for (const scope of ['openid', 'openid email', 'roles profile openid', 'openid profile email roles groups']) {
    keep(good, scope, (await tokensOf(application, person, { scope })).access_token);
  }
  const lasting = { scope: 'openid profile offline_access', prompt: 'consent' };
  const { access_token: token, refresh_token: refreshToken } = await tokensOf(application, person, lasting);
  keep(good, 'one that outlives its session', token);
  keep(bad, 'a refresh token', refreshToken);
  const others = await createApplication(postern, { scopes: [...SCOPES], firstParty: false });
  keep(good, "of somebody else's application", (await tokensOf(others, person)).access_token);
  const page = await createApplication(postern, { type: 'spa', scopes: [...SCOPES] });
  keep(good, 'of a page', (await tokensOf(page, person)).access_token);
  const asks = await createApplication(postern, { scopes: [...SCOPES] });
  await postern.parts.applications.setProtocol(asks.clientId, { claimsParameter: true }, BY_TEST);
  await everythingTold(postern);
  const claims = JSON.stringify({ userinfo: { name: null, email: null, roles: { essential: true } } });
  keep(good, 'with claims', (await tokensOf(asks, person, { scope: 'openid email', claims })).access_token);
  keep(good, 'after claims', (await tokensOf(asks, person, { scope: 'openid profile' })).access_token);
  const narrowed = keep(
    good,
    'of a narrowed grant',
    (await tokensOf(application, await createPerson(postern))).access_token,
  );
  await changeGrant(narrowed, `jsonb_set(g.payload, '{openid,scope}', '"email openid"')`);
  const rejected = keep(
    good,
    'of a rejected scope',
    (await tokensOf(application, await createPerson(postern))).access_token,
  );
  await changeGrant(rejected, `g.payload || '{"rejected": {"openid": {"scope": "email", "claims": ["name"]}}}'`);
  const opaque = good.get('openid') ?? '';
  keep(bad, 'a truncated one', opaque.slice(0, -1));
  keep(bad, 'a digest', hash(opaque).toString('hex'));
  keep(bad, 'an alias', `jwt:${opaque}`);
}

async function changeGrant(token: string, payload: string): Promise<void> {
  const text = `UPDATE token g SET payload = ${payload} FROM token t
    WHERE g.kind = 'Grant' AND g.grant_id = t.grant_id AND t.id_hash = $1 RETURNING 1`;
  expect(
    await postern.db.query(`test-grant-${hash(payload).toString('hex').slice(0, 8)}`, text, [hash(token)]),
  ).toHaveLength(1);
}

/** Each of a person of its own: what ends one token must not end the next. */
async function makeDead(): Promise<void> {
  const application = await createApplication(postern, { scopes: [...SCOPES] });
  const others = await createApplication(postern, { scopes: [...SCOPES], firstParty: false });
  const change = async (name: string, text: string, from = application) => {
    const person = await createPerson(postern);
    const token = keep(bad, name, (await tokensOf(from, person)).access_token);
    const value = text.includes('id_hash') ? hash(token) : person.id;
    expect(await postern.db.query(`test-${name}`, `${text} RETURNING 1`, [value])).not.toHaveLength(0);
    return token;
  };
  await change('an expired one', "UPDATE token SET expires_at = now() - interval '1 minute' WHERE id_hash = $1");
  await change('one that somebody used up', 'UPDATE token SET consumed_at = now() WHERE id_hash = $1');
  await change('a revoked one', 'UPDATE token SET revoked_at = now() WHERE id_hash = $1');
  await change('one of a session that ended', 'DELETE FROM session WHERE user_id = $1');
  await change(
    'one of a session that is over',
    "UPDATE session SET expires_at = now() - interval '1 s' WHERE user_id = $1",
  );
  await change('one without its grant', "DELETE FROM token WHERE kind = 'Grant' AND user_id = $1");
  await change('one of a revoked grant', "UPDATE token SET revoked_at = now() WHERE kind = 'Grant' AND user_id = $1");
  await change(
    'one of an expired grant',
    "UPDATE token SET expires_at = now() - interval '2 s' WHERE kind = 'Grant' AND user_id = $1",
  );
  await change(
    "one of another client's grant",
    "UPDATE token SET client_id = 'x' WHERE kind = 'Grant' AND user_id = $1",
  );
  await change('one of a disabled person', "UPDATE user_account SET status = 'disabled' WHERE id = $1");
  await change('one without consent', 'DELETE FROM consent WHERE user_id = $1', others);
  await change('one without openid', "UPDATE token SET scopes = '{profile}' WHERE id_hash = $1");
  await change('one for an audience', "UPDATE token SET audience = 'urn:x' WHERE id_hash = $1");
  const certified = `UPDATE token SET payload = payload || '{"x5t#S256": "x"}' WHERE id_hash = $1`;
  await change('one that is bound to a certificate', certified);

  const gone = await createApplication(postern, { scopes: [...SCOPES] });
  keep(bad, 'one of a disabled application', (await tokensOf(gone, await createPerson(postern))).access_token);
  await postern.db.query('test-off', 'UPDATE client SET disabled_at = now() WHERE client_id = $1', [gone.clientId]);
  await postern.db.notify(CLIENT_CHANGED, gone.clientId);
  const ended = (await tokensOf(application, await createPerson(postern))).access_token ?? '';
  await postForm(`${postern.url}/oauth2/revoke`, { token: ended }, asClient(application).headers);
  keep(bad, 'one that its application revoked', ended);
  await everythingTold(postern);
}

async function makeOthers(): Promise<void> {
  const { url, parts } = postern;
  const audience = await createApi(postern, ['read']);
  const permissions = [{ name: 'read' }];
  await parts.access.apis.create({ audience: 'urn:example:opaque', permissions, tokenFormat: 'opaque' }, BY_TEST);
  const service = await createService(postern, [`${audience}#read`, 'urn:example:opaque#read']);
  for (const resource of [audience, 'urn:example:opaque']) {
    keep(bad, `of a service, for ${resource}`, (await clientCredentials(url, service, { resource })).body.access_token);
  }
  const person = await createPerson(postern);
  await grantRole(postern, person, [`${audience}#read`]);
  const application = await createApplication(postern, { permissions: [`${audience}#read`] });
  const jwt = await tokensOf(application, person, { scope: 'openid read', resource: audience });
  keep(bad, 'a JWT of a person', jwt.access_token);
  keep(bad, 'an ID token', jwt.id_token);
  const code = await getCode(createAgent(url), application, person, { scope: 'openid' });
  const { form, headers } = asClient(application);
  const exchangeOfCode = {
    grant_type: 'authorization_code',
    code: code.code,
    redirect_uri: application.redirectUri,
    code_verifier: code.verifier,
    ...form,
  };
  const bound = await postWithProof(`${url}/oauth2/token`, exchangeOfCode, headers, await createHolder());
  keep(bad, 'one that is bound to a key', bound.body.access_token);
  keep(bad, 'an authorization code', (await getCode(createAgent(url), application, person)).code);
  const chain = await createChain(postern, 2);
  const [front] = chain.services;
  if (!front) throw new Error('a chain has services');
  const exchanged = await exchange(url, front, await chain.personToken(), chain.apis[1] ?? '', { scope: 'read' });
  keep(bad, 'an exchanged one', exchanged.body.access_token);
  keep(bad, 'nonsense', 'nonsense');
  keep(bad, 'something long', 'x'.repeat(3_000));
}

interface Generated {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

const FORM = 'application/x-www-form-urlencoded';

/** `token` in a request that is a little different each time. */
function generate(token: string): Generated {
  const method = mostly(['GET', 'GET', 'POST'] as const, ['POST'] as const);
  const authorization = mostly(
    [`Bearer ${token}`, `bearer ${token}`],
    [`DPoP ${token}`, `Basic ${token}`, `Bearer  ${token}`, `Bearer ${token} x`, `Bearer`, token, undefined],
  );
  const accept = mostly([undefined, '*/*', 'application/json'], ['text/html', 'application/jwt', 'text/plain']);
  const body = mostly([undefined, ''], [`access_token=${token}`, 'scope=openid', 'x=1', '{"a":1}', 'y'.repeat(60_000)]);
  const type = mostly([FORM], ['application/json', 'text/plain']);
  const extra: Record<string, string>[] = [
    { origin: 'https://page.example.com' },
    { origin: 'null' },
    { dpop: 'x.y.z' },
    { 'sec-fetch-site': 'cross-site' },
    { 'if-none-match': '*' },
  ];
  return {
    method,
    path: mostly(['/oauth2/userinfo'], [`/oauth2/userinfo?access_token=${token}`, '/oauth2/userinfo?scope=email']),
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(accept === undefined ? {} : { accept }),
      ...(method === 'POST' ? { 'content-type': type } : {}),
      ...mostly([{}], extra),
    },
    body: method === 'POST' ? body : undefined,
  };
}

const OF_ONE_ANSWER = new Set(['date', 'x-request-id', 'content-security-policy', 'dpop-nonce']);
const NEWEST = 'SELECT coalesce(max(seq), 0)::int AS seq FROM audit_event';
// What the product does on its own is no part of it.
const SINCE = `SELECT action, outcome, reason, actor_type, actor_id, actor_name, target_type, target_id, client_id, address,
  user_agent, data FROM audit_event WHERE seq > $1 AND actor_type <> 'system' ORDER BY seq`;

/** The whole of what one request does: its answer, the events that it wrote, the line in the log. */
async function send({ method, path, headers, body }: Generated, more: Record<string, string>) {
  const [{ seq } = { seq: 0 }] = await postern.db.query<{ seq: number }>('test-newest', NEWEST, []);
  const response = await fetch(`${postern.url}${path}`, {
    method,
    headers: { ...headers, ...more },
    body: body ?? null,
  });
  const text = await response.text();
  // A page that shows an error has a nonce in it; its answer says which request it was.
  const said = text.startsWith('{')
    ? text
    : text.replace(/nonce="[^"]+"/g, '').replaceAll(response.headers.get('x-request-id') ?? '-', '');
  const line = postern.logged.findLast(({ msg }) => msg === 'request');
  return {
    status: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => !OF_ONE_ANSWER.has(name))),
    said,
    events: await postern.db.query('test-since', SINCE, [seq]),
    line: [line?.method, line?.path, line?.status, line?.request === response.headers.get('x-request-id')],
  };
}

test(
  'S50 S52 the direct way and the library say the same of every token',
  async () => {
    const told = new Map<string, string[]>();
    for (const [name, token] of [...good, ...bad]) {
      for (const method of ['GET', 'POST'] as const) {
        const request = {
          method,
          path: '/oauth2/userinfo',
          headers: { authorization: `Bearer ${token}` },
          body: undefined,
        };
        const direct = await send(request, {});
        expect({ name, ...direct }).toEqual({ name, ...(await send(request, THROUGH_LIBRARY)) });
        if (direct.status === 200) told.set(name, Object.keys(JSON.parse(direct.said)));
      }
    }
    const served = [...good.keys(), 'one that somebody used up'];
    expect([...told.keys()].sort()).toEqual(served.sort());
    expect(told.get('openid')).toEqual(['sub']);
    expect(told.get('of a narrowed grant')).toEqual(['email', 'sub']);
  },
  LONG_MS,
);

test(
  'S52 S55 they answer and write the same, for good requests and bad ones',
  async () => {
    const counts = new Map<number, number>();
    for (let pair = 0; pair < PAIRS; pair++) {
      const [name, token] = mostly([...good], [...bad]);
      const request = generate(token);
      const direct = await send(request, {});
      expect({ name, request, ...direct }).toEqual({ name, request, ...(await send(request, THROUGH_LIBRARY)) });
      counts.set(direct.status, (counts.get(direct.status) ?? 0) + 1);
    }
    // The generator must reach every kind of answer, or the comparison says little.
    expect(counts.get(200)).toBeGreaterThan(100);
    expect(counts.get(400)).toBeGreaterThan(50);
    expect(counts.get(401)).toBeGreaterThan(50);
  },
  LONG_MS,
);

test('a clock that is a little ahead ends no token early, on either way', async () => {
  const { access_token: token = '' } = await tokensOf(await createApplication(postern), await createPerson(postern));
  const expire = 'UPDATE token SET expires_at = $2 WHERE id_hash = $1';
  for (const [seconds, status] of [
    [4, 200],
    [20, 401],
  ] as const) {
    await postern.db.query('test-expire', expire, [hash(token), new Date(Date.now() - seconds * 1000)]);
    const headers = { authorization: `Bearer ${token}` };
    const request: Generated = { method: 'GET', path: '/oauth2/userinfo', headers, body: undefined };
    const direct = await send(request, {});
    expect(direct).toEqual(await send(request, THROUGH_LIBRARY));
    expect(direct.status).toBe(status);
  }
});

test('a plain request is answered without the library, with what became true since the last one', async () => {
  const { default: Provider } = await import('oidc-provider');
  const met: string[] = [];
  const original = Object.getOwnPropertyDescriptor(Provider.prototype, 'AccessToken');
  Object.defineProperty(Provider.prototype, 'AccessToken', {
    configurable: true,
    get(this: object) {
      met.push('AccessToken');
      return original?.get?.call(this);
    },
  });
  try {
    const person = await createPerson(postern);
    const { access_token: token } = await tokensOf(await createApplication(postern, { scopes: [...SCOPES] }), person, {
      scope: 'openid roles',
    });
    met.length = 0;
    const ask = async () => {
      const headers = { authorization: `Bearer ${token}` };
      return send({ method: 'GET', path: '/oauth2/userinfo', headers, body: undefined }, {});
    };
    expect(JSON.parse((await ask()).said)).toEqual({ sub: person.id, roles: [] });
    const role = await grantRole(postern, person, []);
    expect(JSON.parse((await ask()).said)).toEqual({ sub: person.id, roles: [role] });
    expect(met).toEqual([]);
    await postern.parts.users.disable(person.id, BY_TEST);
    expect((await ask()).status).toBe(401);
    expect(met).not.toEqual([]);
  } finally {
    if (original) Object.defineProperty(Provider.prototype, 'AccessToken', original);
  }
});
