import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { newId } from '../../src/kernel/ids.ts';
import { introspect } from '../support/oauth.ts';
import { type Postern, startPostern } from '../support/postern.ts';

// A request that names its content coding is left to the library: the same request with and without that header goes
// through both ways, and nothing about the answers may tell them apart.
const THROUGH_LIBRARY = { 'content-encoding': 'identity' };
const PAIRS = 700;
/** Claims that must have been met in the answers, on either way. */
const MET = [
  'roles',
  'groups',
  'entitlements',
  'truncated',
  'realm_access',
  'resource_access',
  'permissions',
  'gty',
  'azp',
];
/** A quarter of a minute where the machine has nothing else to do. */
const LONG_MS = 120_000;

const orders = 'https://orders.example';
const stock = 'https://stock.example/v2';
const parcels = 'urn:example:parcels';
const letters = 'https://letters.example';
/** What the tokens of each API are told by in a comparison. */
const FORMS = { [orders]: 'ES256', [stock]: 'EdDSA', [parcels]: 'RS256', [letters]: 'opaque' };
const by = { by: { type: 'system' as const, id: 'test' } };

interface Account {
  clientId: string;
  secret: string;
}

let postern: Postern;
let keys: ReturnType<typeof createLocalJWKSet>;
let one: Account;
let both: Account & { id: string };
let every: Account;
let quiet: Account;
let none: Account;
let disabled: Account;
let withRole: Account;
/** Holds more roles than a token names, and belongs to teams. */
let crowded: Account & { id: string };
let seed = 20_261_122;

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

beforeAll(async () => {
  postern = await startPostern();
  const { access, serviceAccounts } = postern.parts;
  const permission = (name: string) => ({ name, description: `May ${name}` });
  await access.apis.create({ audience: orders, permissions: ['read', 'write', 'admin'].map(permission) }, by);
  const counting = ['read', 'count'].map(permission);
  const others = [
    { audience: stock, lifetime: 900, signingAlg: 'EdDSA', claimProfile: 'keycloak', permissions: counting },
    { audience: parcels, signingAlg: 'RS256', claimProfile: 'auth0', permissions: [permission('read')] },
    { audience: letters, tokenFormat: 'opaque', claimProfile: 'keycloak', permissions: counting },
  ] as const;
  for (const { permissions, ...api } of others) {
    await access.apis.create({ ...api, permissions: [...permissions] }, by);
  }
  const make = (name: string, permissions: string[]) => serviceAccounts.create({ name, permissions }, by);
  one = await make('one', [`${orders}#read`, `${orders}#write`]);
  both = await make('both', [`${orders}#read`, `${stock}#read`, `${stock}#count`]);
  every = await make(
    'every',
    Object.keys(FORMS).map((audience) => `${audience}#read`),
  );
  quiet = await make('quiet', [`${letters}#read`, `${letters}#count`]);
  none = await make('none', []);
  const off = await make('off', [`${orders}#read`]);
  await serviceAccounts.disable(off.id, by);
  disabled = off;
  const roleHolder = await make('role-holder', [`${orders}#read`]);
  await access.roles.create({ name: 'packer', permissions: [`${orders}#write`] }, by);
  await access.roles.assign('packer', { serviceAccountId: roleHolder.id }, by);
  withRole = roleHolder;
  crowded = await make(
    'crowded',
    Object.keys(FORMS).map((audience) => `${audience}#read`),
  );
  await giveRolesAndTeams(crowded, 120, 3);
  await giveRolesAndTeams(both, 2, 1);
  const jwks = (await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as JSONWebKeySet;
  keys = createLocalJWKSet(jwks);
});

afterAll(() => postern.close());

async function giveRolesAndTeams({ id }: { id: string }, roleCount: number, teamCount: number): Promise<void> {
  const { prisma } = postern.db;
  const at = new Date();
  const named = (kind: string, count: number) =>
    Array.from({ length: count }, (_, n) => ({ id: newId(), name: `${kind}-${(n * 7) % count}-${id}`, createdAt: at }));
  const roles = named('role', roleCount);
  await prisma.role.createMany({ data: roles });
  await prisma.roleReach.createMany({ data: roles.map((role) => ({ roleId: role.id, reachesId: role.id })) });
  const common = { serviceAccountId: id, createdAt: at };
  await prisma.assignment.createMany({
    data: roles.map((role) => ({ id: newId(), roleId: role.id, grantedBy: 'test', ...common })),
  });
  const teams = named('team', teamCount);
  await prisma.team.createMany({ data: teams.map((team) => ({ ...team, updatedAt: at })) });
  await prisma.teamReach.createMany({ data: teams.map((team) => ({ teamId: team.id, reachesId: team.id })) });
  await prisma.teamMember.createMany({
    data: teams.map((team) => ({ id: newId(), teamId: team.id, addedBy: 'test', ...common })),
  });
}

interface Generated {
  headers: Record<string, string>;
  body: string;
}

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** One of the good values, or now and then one of the bad ones: several faults at once would hide each other. */
function mostly<T>(good: readonly T[], bad: readonly T[]): T {
  return pick(random() < 0.9 ? good : bad);
}

const SCOPES = {
  good: [undefined, 'read', 'read', 'write', 'read write', 'write read', 'count', 'read nope'],
  bad: ['nope', '', ' read', 'read  write', 'openid', 'réad', 'x'.repeat(1_100)],
};
const RESOURCES = {
  good: [undefined, undefined, orders, orders, stock, parcels, parcels, letters],
  bad: ['https://unknown.example', 'nonsense', '', `${orders}#x`, `${orders}/`],
};
const FORM = 'application/x-www-form-urlencoded';

function generate(): Generated {
  const account = mostly([one, both, every, every, crowded, quiet, withRole], [none, disabled]);
  const secret = mostly([account.secret], ['pst_wrong', '', `${account.secret}x`, 'ä b+c']);
  const grantType = mostly(['client_credentials'], ['password', '', undefined]);
  const scope = mostly(SCOPES.good, SCOPES.bad);
  const resource = mostly(RESOURCES.good, RESOURCES.bad);
  const headers: Record<string, string> = {
    'content-type': mostly([FORM, `${FORM};charset=UTF-8`], ['application/json', `${FORM};charset=latin1`]),
  };
  const params: [string, string][] = [];
  if (grantType !== undefined) params.push(['grant_type', grantType]);
  if (scope !== undefined) params.push(['scope', scope]);
  if (resource !== undefined) params.push(['resource', resource]);
  if (random() < 0.03) params.push(['resource', stock]);
  if (random() < 0.03) params.push(['scope', 'read']);
  if (random() < 0.03) params.push(['unknown', 'x']);
  if (random() < 0.02) params.push(['client_assertion', 'x.y.z']);
  const way = mostly(['basic', 'post'], ['both', 'none', 'broken', 'mismatch', 'same id']);
  if (way !== 'post' && way !== 'none') headers.authorization = basic(account.clientId, secret);
  if (way === 'post' || way === 'both') params.push(['client_id', account.clientId], ['client_secret', secret]);
  if (way === 'mismatch') params.push(['client_id', 'svc_other']);
  if (way === 'same id') params.push(['client_id', account.clientId]);
  if (way === 'broken') headers.authorization = pick(['Basic', 'Basic !!!', 'Bearer x', 'Basic YQ==', 'basic YTpi']);
  return { headers, body: new URLSearchParams(params).toString() };
}

/** CORS headers and Vary are of no meaning here: a request with an Origin is left to the library. */
const OF_ONE_ANSWER = new Set(['date', 'x-request-id', 'content-security-policy', 'vary']);

async function send({ headers, body }: Generated, extra: Record<string, string>) {
  const response = await fetch(`${postern.url}/oauth2/token`, {
    method: 'POST',
    headers: { ...headers, ...extra },
    body,
  });
  const text = await response.text();
  const kept = [...response.headers].filter(
    ([name]) => !OF_ONE_ANSWER.has(name) && !name.startsWith('access-control-'),
  );
  return { status: response.status, headers: Object.fromEntries(kept), text };
}

interface Row {
  [name: string]: unknown;
}

/** The newest event, and the token that it speaks of, without what differs from request to request. */
async function written(answer: string): Promise<{ event: Row | undefined; tokens: Row[] }> {
  const [event] = await postern.db.query<Row>(
    'newest-event',
    `SELECT action, outcome, reason, actor_type, actor_id, actor_name, target_type, target_id, client_id, address,
       user_agent, data FROM audit_event ORDER BY seq DESC LIMIT 1`,
    [],
  );
  const data = event?.data as { tokens?: { jti: string }[] } | null;
  const { access_token: value = '' } = JSON.parse(answer) as { access_token?: string };
  const tokens = await postern.db.query<Row>(
    'tokens-of',
    `SELECT kind, format, user_id, service_account_id, client_id, grant_id, session_uid, scopes, audience, payload,
       extract(epoch FROM expires_at - created_at)::int AS lifetime, revoked_at, consumed_at,
       id_hash = sha256(convert_to('jwt:' || jti, 'UTF8')) AS found_by_alias,
       id_hash = sha256(convert_to($2, 'UTF8')) AS found_by_value, jti = $2 AS named_by_value
     FROM token WHERE jti = ANY($1::text[])`,
    [(data?.tokens ?? []).map(({ jti }) => jti), value],
  );
  for (const token of data?.tokens ?? []) token.jti = 'jti';
  return { event, tokens };
}

/** What an opaque token says: to its own client, when that asks. */
async function said(value: string, { clientId, secret }: Account): Promise<object> {
  expect(value).toMatch(/^[\w-]{43}$/);
  const { iat, exp, ...answer } = await introspect(postern.url, { clientId, secret }, value);
  return { ...answer, lifetime: Number(exp) - Number(iat) };
}

const accounts = () => [one, both, every, crowded, quiet, withRole];

interface Compared {
  status: number;
  form: string | undefined;
  /** Names of the claims that the token, or its introspection, had. */
  names: string[];
}

async function compare(request: Generated): Promise<Compared> {
  const direct = await send(request, {});
  const rowsOfDirect = await written(direct.text);
  const library = await send(request, THROUGH_LIBRARY);
  const rowsOfLibrary = await written(library.text);
  const about = JSON.stringify(request);

  const open = async (text: string) => {
    const body = JSON.parse(text) as { access_token?: string };
    if (body.access_token === undefined) return body;
    const owner = accounts().find(({ clientId }) => clientId === rowsOfDirect.event?.client_id);
    if (!body.access_token.includes('.') && owner) {
      return { ...body, access_token: await said(body.access_token, owner) };
    }
    const { payload, protectedHeader } = await jwtVerify(body.access_token, keys, {
      issuer: postern.url,
      typ: 'at+jwt',
    });
    expect([about, payload.jti?.length]).toEqual([about, 43]);
    const { jti: _jti, iat, exp, ...claims } = payload;
    return {
      ...body,
      access_token: { claims, names: Object.keys(payload), protectedHeader, lifetime: (exp ?? 0) - (iat ?? 0) },
    };
  };
  const view = async ({ status, headers, text }: typeof direct) => {
    // Signatures differ, and so do the lengths of what holds them by nothing.
    return { about, status, headers, body: await open(text) };
  };
  const seen = await view(direct);
  expect(seen).toEqual(await view(library));
  expect({ about, ...rowsOfDirect }).toEqual({ about, ...rowsOfLibrary });
  const audience = String(rowsOfDirect.tokens[0]?.audience) as keyof typeof FORMS;
  if (direct.status !== 200) return { status: direct.status, form: undefined, names: [] };
  interface Seen {
    protectedHeader?: { alg: string };
    claims?: object;
    active?: boolean;
  }
  const token = (seen.body as { access_token: Seen }).access_token;
  const form = token.protectedHeader?.alg ?? (token.active === true ? 'opaque' : undefined);
  expect([about, form]).toEqual([about, FORMS[audience]]);
  return { status: 200, form, names: Object.keys(token.claims ?? token) };
}

test(
  'S18 S26 S34 the direct way and the library answer and write the same, for good requests and bad ones',
  async () => {
    const counts = new Map<number, number>();
    const forms = new Map<string, number>();
    const met = new Set<string>();
    for (let pair = 0; pair < PAIRS; pair++) {
      const { status, form, names } = await compare(generate());
      for (const name of names) met.add(name);
      counts.set(status, (counts.get(status) ?? 0) + 1);
      if (form) forms.set(form, (forms.get(form) ?? 0) + 1);
    }
    // The generator must reach every kind of answer, or the comparison says little.
    expect(counts.get(200)).toBeGreaterThan(60);
    expect(counts.get(400)).toBeGreaterThan(60);
    expect(counts.get(401)).toBeGreaterThan(60);
    expect([...counts.keys()].sort()).toEqual([200, 400, 401]);
    expect(MET.filter((name) => !met.has(name))).toEqual([]);
    expect(Math.min(...Object.values(FORMS).map((form) => forms.get(form) ?? 0))).toBeGreaterThan(10);
  },
  LONG_MS,
);

test.each(Object.entries(FORMS))('a plain request for %s (%s) is answered without the library', async (audience) => {
  const request = {
    headers: { 'content-type': FORM, authorization: basic(every.clientId, every.secret) },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }).toString(),
  };
  const { Provider } = { Provider: (await import('oidc-provider')).default };
  const models: string[] = [];
  const original = Object.getOwnPropertyDescriptor(Provider.prototype, 'ClientCredentials');
  Object.defineProperty(Provider.prototype, 'ClientCredentials', {
    configurable: true,
    get(this: object) {
      models.push('ClientCredentials');
      return original?.get?.call(this);
    },
  });
  try {
    expect((await send(request, {})).status).toBe(200);
    expect(models).toEqual([]);
    expect((await send(request, THROUGH_LIBRARY)).status).toBe(200);
    expect(models).not.toEqual([]);
  } finally {
    if (original) Object.defineProperty(Provider.prototype, 'ClientCredentials', original);
  }
});
