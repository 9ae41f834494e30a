import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createChain, exchange } from '../support/exchange.ts';
import { asClient, clientCredentials, getCode, introspect, redeem, refresh } from '../support/oauth.ts';
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

// A request that names its content coding is left to the library: the same request goes through both ways, each time
// from the same rows, and nothing about answers, rows and events may tell them apart.
const THROUGH_LIBRARY = { 'content-encoding': 'identity' };
const PAIRS = 400;
const LONG_MS = 120_000;
/** Of the callers, those whose tokens are asked about. */
const HOLDERS = new Set(['a service', 'an application', "the chain's application"]);
const OPAQUE = 'urn:example:opaque';

interface Asking {
  clientId: string;
  secret: string;
}

interface Row {
  [name: string]: unknown;
}

let postern: Postern;
/** What the tokens are called → the tokens. */
const tokens = new Map<string, string>();
/** The same of who asks. */
const callers = new Map<string, Asking>();
/** One for each person: to sign in again takes a new code, and half a minute of the tokens' five. */
const browsers = new Map<string, Agent>();
/** Digests of what is revoked from the beginning. */
let dead: Buffer[] = [];
let seed = 20_261_124;

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
  return pick(random() < 0.9 ? usual : unusual);
}

function keep(name: string, token: string | undefined): string {
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
  await makePersonTokens();
  await makeServiceTokens();
  const jwt = tokens.get('a JWT of a service') ?? '';
  const [header = '', claims = '', signature = ''] = jwt.split('.');
  const { jti } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  keep('a JWT of another signature', `${header}.${claims}.${signature.slice(4)}AAAA`);
  keep('the alias of a JWT', `jwt:${jti}`);
  keep('the jti of a JWT', jti);
  keep('a truncated opaque token', (tokens.get('an opaque token of a service') ?? '').slice(0, -1));
  keep('nonsense', 'nonsense');
  keep('unknown', 'unknown');
  keep('something with spaces', ' a b ');
  keep('something long', 'x'.repeat(20_000));
  const revoked = 'SELECT id_hash FROM token WHERE revoked_at IS NOT NULL';
  dead = (await postern.db.query<{ id_hash: Buffer }>('test-dead', revoked, [])).map((row) => row.id_hash);
}, LONG_MS);

afterEach(() => postern.db.query('test-restore', RESTORE, [dead]));

afterAll(() => postern.close());

async function makeServiceTokens(): Promise<void> {
  const { parts, url } = postern;
  const audience = await createApi(postern, ['read']);
  const permissions = [{ name: 'read' }];
  await parts.access.apis.create({ audience: OPAQUE, permissions, tokenFormat: 'opaque' }, BY_TEST);
  const owner = await createService(postern, [`${audience}#read`, `${OPAQUE}#read`]);
  callers.set('a service', owner);
  const get = async (resource: string) => (await clientCredentials(url, owner, { resource })).body.access_token;
  keep('a JWT of a service', await get(audience));
  keep('an opaque token of a service', await get(OPAQUE));
  const change = async (name: string, set: string, from: Promise<string | undefined>) => {
    const changed = `UPDATE token SET ${set} WHERE id_hash = $1 RETURNING 1`;
    expect(await postern.db.query(`test-${name}`, changed, [hash(keep(name, await from))])).toHaveLength(1);
  };
  await change('a revoked one', 'revoked_at = now()', get(OPAQUE));
  await change('an expired one', "expires_at = now() - interval '1 minute'", get(OPAQUE));
  await change('a used one', 'consumed_at = now()', get(OPAQUE));
  const other = await createService(postern, [`${audience}#read`]);
  callers.set('another service', other);
  keep('a JWT of another service', (await clientCredentials(url, other)).body.access_token);
  const off = await createService(postern, [`${audience}#read`]);
  await parts.serviceAccounts.disable(off.id, BY_TEST);
  callers.set('a disabled service', off);
  callers.set('an unknown client', { clientId: 'svc_unknown', secret: 'pst_unknown' });
  callers.set('a service with a wrong secret', { clientId: owner.clientId, secret: 'pst_wrong' });
  const bound = await createService(postern, [`${audience}#read`]);
  const bind = `UPDATE client SET settings = settings || '{"certificateBound": true}' WHERE client_id = $1`;
  await postern.db.query('test-bind', bind, [bound.clientId]);
  callers.set('a service that needs a certificate', bound);
  await everythingTold(postern);
}

async function makePersonTokens(): Promise<void> {
  const { url } = postern;
  const audience = await createApi(postern, ['read']);
  const person = await createPerson(postern);
  await grantRole(postern, person, [`${audience}#read`]);
  const chain = await createChain(postern, 2);
  const [front] = chain.services;
  if (!front) throw new Error('a chain has services');
  callers.set("the chain's application", chain.application);
  callers.set("the chain's service", front);
  const parent = keep('one that another was exchanged for', await chain.personToken());
  const next = await exchange(url, front, parent, chain.apis[1] ?? '', { scope: 'read' });
  keep('an exchanged one', next.body.access_token);

  const application = await createApplication(postern, { permissions: [`${audience}#read`] });
  callers.set('an application', application);
  const publicOne = await createApplication(postern, { type: 'spa' });
  callers.set('a public application', { clientId: publicOne.clientId, secret: '' });
  const ended = await createPerson(postern);
  keep('one of a session that ended', (await tokensOf(application, ended)).access_token);
  await postern.db.query('test-end', 'DELETE FROM session WHERE user_id = $1', [ended.id]);
  const parted = await createPerson(postern);
  keep('one of a session without its client', (await tokensOf(application, parted)).access_token);
  const part = 'DELETE FROM session_client c USING session s WHERE s.uid = c.session_uid AND s.user_id = $1';
  await postern.db.query('test-part', part, [parted.id]);
  keep('one of a public application', (await tokensOf(publicOne, person)).access_token);
  keep('an opaque token of a person', (await tokensOf(application, person, { scope: 'openid' })).access_token);
  const own = { scope: 'openid read', resource: audience };
  const jwt = await tokensOf(application, person, own);
  keep('a JWT of a person', jwt.access_token);
  keep('an ID token', jwt.id_token);
  const lasting = { scope: 'openid profile offline_access', prompt: 'consent' };
  const first = await tokensOf(application, person, lasting);
  keep('one that outlives its session', first.access_token);
  const renewed = await refresh(url, application, keep('a used refresh token', first.refresh_token));
  keep('a refresh token', renewed.body.refresh_token);
  const agent = browsers.get(person.id) as Agent;
  keep('an authorization code', (await getCode(agent, application, person)).code);
}

interface Generated {
  headers: Record<string, string>;
  form: [string, string][];
}

const FORM = 'application/x-www-form-urlencoded';
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

function generate({ clientId, secret }: Asking, token: string): Generated {
  const hint = mostly([undefined, 'access_token'], ['refresh_token', 'nonsense', '']);
  const form: [string, string][] = [['token', mostly([token], ['', `${token} `])]];
  if (hint !== undefined) form.push(['token_type_hint', hint]);
  if (random() < 0.03) form.push(['token', token]);
  if (random() < 0.03) form.push(['unknown', 'x']);
  const way = mostly(['basic', 'post'], ['both', 'none', 'broken', 'mismatch', 'same id']);
  const headers: Record<string, string> = {
    'content-type': mostly([FORM], ['application/json', `${FORM};charset=latin1`]),
    ...mostly<Record<string, string>>(
      [{}],
      [{ origin: 'https://page.example.com' }, { dpop: 'x.y.z' }, { accept: 'text/html' }],
    ),
  };
  if (way !== 'post' && way !== 'none') headers.authorization = basic(clientId, secret);
  if (way === 'post' || way === 'both') form.push(['client_id', clientId], ['client_secret', secret]);
  if (way === 'mismatch') form.push(['client_id', 'svc_other']);
  if (way === 'same id' || (way === 'none' && secret === '')) form.push(['client_id', clientId]);
  if (way === 'broken') headers.authorization = pick(['Basic', 'Basic !!!', 'Bearer x', 'Basic YQ==']);
  return { headers, form };
}

const OF_ONE_ANSWER = new Set(['date', 'x-request-id', 'content-security-policy', 'dpop-nonce']);
const NEWEST = 'SELECT coalesce(max(seq), 0)::int AS seq FROM audit_event';
// What the product does on its own is no part of it.
const SINCE = `SELECT action, outcome, reason, actor_type, actor_id, actor_name, target_type, target_id, client_id, address,
  user_agent, data FROM audit_event WHERE seq > $1 AND actor_type <> 'system' ORDER BY seq`;
const REVOKED = `SELECT kind, jti FROM token WHERE revoked_at IS NOT NULL AND id_hash <> ALL($1::bytea[])
  ORDER BY id_hash`;
const RESTORE = 'UPDATE token SET revoked_at = NULL WHERE revoked_at IS NOT NULL AND id_hash <> ALL($1::bytea[])';

async function post({ headers, form }: Generated, more: Record<string, string>) {
  const response = await fetch(`${postern.url}/oauth2/revoke`, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: new URLSearchParams(form).toString(),
  });
  return { response, text: await response.text() };
}

/** The whole of what one request does; then what it revoked is as it was before. */
async function send(request: Generated, more: Record<string, string>) {
  const { db, logged } = postern;
  const [{ seq } = { seq: 0 }] = await db.query<{ seq: number }>('test-newest', NEWEST, []);
  const { response, text } = await post(request, more);
  const id = response.headers.get('x-request-id') ?? '-';
  const line = logged.findLast(({ msg }) => msg === 'request');
  const revoked = await db.query<Row>('test-revoked', REVOKED, [dead]);
  const events = await db.query<Row>('test-since', SINCE, [seq]);
  await db.query('test-restore', RESTORE, [dead]);
  return {
    status: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => !OF_ONE_ANSWER.has(name))),
    // A page that shows an error says which request it was.
    said: text.startsWith('{') ? text : text.replace(/nonce="[^"]+"/g, '').replaceAll(id, ''),
    revoked,
    events,
    line: [line?.method, line?.path, line?.status, line?.request === id],
  };
}

const plain = ({ clientId, secret }: Asking, token: string): Generated => ({
  headers: { 'content-type': FORM, ...asClient({ clientId, secret }).headers },
  form: [['token', token], ...(secret === '' ? [['client_id', clientId] as [string, string]] : [])],
});

test(
  'S51 the direct way and the library end the same tokens for the same callers',
  async () => {
    const ended = new Map<string, number>();
    for (const [caller, asking] of callers) {
      for (const [name, token] of tokens) {
        const direct = await send(plain(asking, token), {});
        const behind = await send(plain(asking, token), THROUGH_LIBRARY);
        expect({ caller, name, ...direct }).toEqual({ caller, name, ...behind });
        if (direct.events[0]?.outcome === 'success') ended.set(name, direct.revoked.length);
      }
    }
    expect(Object.fromEntries(ended)).toEqual({
      'a JWT of a person': 1,
      'a JWT of a service': 1,
      'a JWT of another service': 1,
      'a refresh token': expect.any(Number),
      'a used one': 1,
      'a used refresh token': expect.any(Number),
      'an exchanged one': 1,
      'an opaque token of a person': 1,
      'an opaque token of a service': 1,
      'one of a public application': 1,
      'one that another was exchanged for': 2,
      'one that outlives its session': 1,
    });
  },
  LONG_MS,
);

test(
  'S26 S51 they answer and write the same, for good requests and bad ones',
  async () => {
    const counts = new Map<number, number>();
    let ended = 0;
    const holders = [...callers].filter(([caller]) => HOLDERS.has(caller));
    for (let pair = 0; pair < PAIRS; pair++) {
      const [caller, asking] = pick(random() < 0.7 ? holders : [...callers]);
      const [name, token] = pick([...tokens]);
      const request = generate(asking, token);
      const direct = await send(request, {});
      const behind = await send(request, THROUGH_LIBRARY);
      expect({ caller, name, request, ...direct }).toEqual({ caller, name, request, ...behind });
      counts.set(direct.status, (counts.get(direct.status) ?? 0) + 1);
      ended += direct.revoked.length > 0 ? 1 : 0;
    }
    // The generator must reach every kind of answer, or the comparison says little.
    expect(counts.get(200)).toBeGreaterThan(60);
    expect(counts.get(400)).toBeGreaterThan(40);
    expect(counts.get(401)).toBeGreaterThan(10);
    expect(ended).toBeGreaterThan(20);
  },
  LONG_MS,
);

test('S51 S89 of many at once, each token ends, and each with its event', async () => {
  const owner = callers.get('a service') as Asking;
  const made = await Promise.all(
    Array.from({ length: 40 }, async () => (await clientCredentials(postern.url, owner, { resource: OPAQUE })).body),
  );
  const all = made.map(({ access_token: token }) => token ?? '');
  const [{ seq } = { seq: 0 }] = await postern.db.query<{ seq: number }>('test-newest', NEWEST, []);
  const asked = [...all, ...all, ...all.map(() => 'unknown')];
  const answers = await Promise.all(asked.map((token) => post(plain(owner, token), {})));
  expect(answers.map(({ response }) => response.status)).toEqual(asked.map(() => 200));
  const events = await postern.db.query<Row>('test-since', SINCE, [seq]);
  expect(events.length).toBeGreaterThanOrEqual(all.length);
  expect(events.length).toBeLessThanOrEqual(2 * all.length);
  const told = await Promise.all(all.map((token) => introspect(postern.url, owner, token)));
  expect(told).toEqual(all.map(() => ({ active: false })));
});

test('S89 S93 where the event cannot be written, the token stays and the answer is 503', async () => {
  const owner = callers.get('a service') as Asking;
  const token = tokens.get('an opaque token of a service') ?? '';
  const refuse = `ALTER TABLE audit_event ADD CONSTRAINT none CHECK (action <> 'token.revoke') NOT VALID`;
  await postern.db.query('test-refuse', refuse, []);
  try {
    const { status, said, revoked } = await send(plain(owner, token), {});
    expect({ status, said: JSON.parse(said).error, revoked }).toEqual({
      status: 503,
      said: 'temporarily_unavailable',
      revoked: [],
    });
    const behind = await send(plain(owner, token), THROUGH_LIBRARY);
    expect({ status: behind.status, said: behind.said }).toEqual({ status, said });
  } finally {
    await postern.db.query('test-allow', 'ALTER TABLE audit_event DROP CONSTRAINT none', []);
  }
  expect((await introspect(postern.url, owner, token)).active).toBe(true);
});

test('a token whose row is held by somebody else is left to the library, and ends', async () => {
  const owner = callers.get('a service') as Asking;
  const { access_token: token = '' } = (await clientCredentials(postern.url, owner, { resource: OPAQUE })).body;
  const held = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const holding = postern.db.tx(async (tx) => {
    await tx.$queryRawUnsafe('SELECT 1 FROM token WHERE id_hash = $1 FOR SHARE', hash(token));
    held.resolve();
    await asked.promise;
  });
  await held.promise;
  const answer = post(plain(owner, token), {});
  // Others do not wait for it.
  const another = await post(plain(owner, tokens.get('an opaque token of a service') ?? ''), {});
  expect(another.response.status).toBe(200);
  asked.resolve();
  await holding;
  expect((await answer).response.status).toBe(200);
  expect((await introspect(postern.url, owner, token)).active).toBe(false);
});

test('a plain request is answered without the library', async () => {
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
    for (const [caller, name] of [
      ['a service', 'a JWT of a service'],
      ['an application', 'an opaque token of a person'],
    ] as const) {
      const request = plain(callers.get(caller) as Asking, tokens.get(name) ?? '');
      met.length = 0;
      expect((await send(request, {})).revoked).toHaveLength(1);
      expect(met).toEqual([]);
      expect((await send(request, THROUGH_LIBRARY)).revoked).toHaveLength(1);
      expect(met).not.toEqual([]);
    }
  } finally {
    if (original) Object.defineProperty(Provider.prototype, 'AccessToken', original);
  }
});
