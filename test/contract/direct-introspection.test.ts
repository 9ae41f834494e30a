import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CLIENT_CHANGED } from '../../src/platform/db/notify.ts';
import { createAgent } from '../support/browserless.ts';
import { createHolder, postWithProof } from '../support/dpop.ts';
import { createChain, exchange } from '../support/exchange.ts';
import { asClient, clientCredentials, getCode, postForm, redeem, refresh } from '../support/oauth.ts';
import { BY_TEST, createApi, createApplication, createPerson, createService, grantRole } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { everythingTold } from '../support/told.ts';

// A request that names its content coding is left to the library: the same question goes through both ways, and nothing
// about the answers may tell them apart.
const THROUGH_LIBRARY = { 'content-encoding': 'identity' };

interface Asking {
  clientId: string;
  secret: string;
}

let postern: Postern;
/** What the tokens are called → the tokens. */
const tokens = new Map<string, string>();
const callers = new Map<string, Asking>();

function keep(name: string, token: string | undefined): string {
  if (!token) throw new Error(`no token: ${name}`);
  tokens.set(name, token);
  return token;
}

beforeAll(async () => {
  postern = await startPostern();
  await makeServiceTokens();
  await makePersonTokens();
  const jwt = tokens.get('a JWT of a service') ?? '';
  const opaque = tokens.get('an opaque token of a service') ?? '';
  const [header = '', claims = '', signature = ''] = jwt.split('.');
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
  keep('a truncated JWT', jwt.slice(0, -6));
  keep('a JWT of another signature', `${header}.${claims}.${signature.slice(4)}AAAA`);
  keep('a JWT without a signature', `${unsigned}.${claims}.`);
  keep('a truncated opaque token', opaque.slice(0, -1));
  keep('the alias of a JWT', `jwt:${JSON.parse(Buffer.from(claims, 'base64url').toString()).jti}`);
  keep('the jti of a JWT', JSON.parse(Buffer.from(claims, 'base64url').toString()).jti);
  keep('the digest of a token', createHash('sha256').update(opaque).digest('hex'));
  keep('nonsense', 'nonsense');
  keep('something with spaces', ' a b ');
  keep('something long', 'x'.repeat(20_000));
});

afterAll(() => postern.close());

async function makeServiceTokens(): Promise<void> {
  const { parts, url } = postern;
  const audience = await createApi(postern, ['read', 'introspect']);
  const opaqueAudience = 'urn:example:opaque';
  const permissions = [{ name: 'read' }, { name: 'introspect' }];
  await parts.access.apis.create({ audience: opaqueAudience, permissions, tokenFormat: 'opaque' }, BY_TEST);
  const owner = await createService(postern, [`${audience}#read`, `${opaqueAudience}#read`]);
  callers.set('its owner', owner);
  callers.set(
    'the service of the APIs',
    await createService(postern, [`${audience}#introspect`, `${opaqueAudience}#introspect`]),
  );
  callers.set('another service', await createService(postern, [`${audience}#read`]));
  const bound = await createService(postern, [`${audience}#introspect`]);
  const bind = `UPDATE client SET settings = settings || '{"certificateBound": true}' WHERE client_id = $1`;
  await postern.db.query('test-bind', bind, [bound.clientId]);
  callers.set('a service that needs a certificate, where none is looked at', bound);
  callers.set('an unknown client', { clientId: 'svc_unknown', secret: 'pst_unknown' });
  callers.set('its owner with a wrong secret', { clientId: owner.clientId, secret: 'pst_wrong' });
  const get = async (resource: string) => (await clientCredentials(url, owner, { resource })).body.access_token;
  keep('a JWT of a service', await get(audience));
  keep('an opaque token of a service', await get(opaqueAudience));
  for (const [name, resource] of [
    ['a revoked JWT', audience],
    ['a revoked opaque token', opaqueAudience],
  ] as const) {
    await postForm(`${url}/oauth2/revoke`, { token: keep(name, await get(resource)) }, { authorization: owner.basic });
  }
  const gone = await createService(postern, [`${audience}#read`]);
  keep('a token of a disabled service', (await clientCredentials(url, gone)).body.access_token);
  await parts.serviceAccounts.disable(gone.id, BY_TEST);
  const expired = keep('an expired token', await get(opaqueAudience));
  await postern.db.query(
    'test-expire',
    "UPDATE token SET expires_at = now() - interval '1 minute' WHERE id_hash = $1",
    [createHash('sha256').update(expired).digest()],
  );
  const form = { grant_type: 'client_credentials', resource: audience };
  const withKey = await postWithProof(
    `${url}/oauth2/token`,
    form,
    { authorization: owner.basic },
    await createHolder(),
  );
  keep('a JWT that is bound to a key', withKey.body.access_token);
}

async function makePersonTokens(): Promise<void> {
  const { url } = postern;
  const audience = await createApi(postern, ['read', 'introspect']);
  const person = await createPerson(postern);
  await grantRole(postern, person, [`${audience}#read`]);
  const scopes = ['openid', 'profile', 'offline_access'] as const;
  const application = await createApplication(postern, { scopes: [...scopes], permissions: [`${audience}#read`] });
  callers.set('the application', application);
  const publicOne = await createApplication(postern, { type: 'spa' });
  callers.set('a public application', { clientId: publicOne.clientId, secret: '' });
  callers.set('the service of that API', await createService(postern, [`${audience}#introspect`]));
  const agent = createAgent(url);
  const resource = { scope: 'openid read', resource: audience };

  const code = await getCode(agent, application, person, resource);
  keep('an authorization code', code.code);
  const first = await redeem(url, application, code);
  keep('a JWT of a person', first.body.access_token);
  keep('an ID token', first.body.id_token);
  const lasting = await redeem(
    url,
    application,
    await getCode(agent, application, person, { scope: 'openid profile offline_access', prompt: 'consent' }),
  );
  keep('an opaque token of a person', lasting.body.access_token);
  const used = keep('a used refresh token', lasting.body.refresh_token);
  const renewed = await refresh(url, application, used);
  keep('a refresh token', renewed.body.refresh_token);

  const gone = await createApplication(postern, { permissions: [`${audience}#read`] });
  const held = await redeem(url, gone, await getCode(agent, gone, person, resource));
  keep('a token of an application that was disabled since it was read', held.body.access_token);
  const disable = 'UPDATE client SET disabled_at = now() WHERE client_id = $1';
  await postern.db.query('test-disable', disable, [gone.clientId]);
  await postern.db.notify(CLIENT_CHANGED, gone.clientId);
  await everythingTold(postern);

  const withdrawn = await createPerson(postern);
  const its = await redeem(
    url,
    application,
    await getCode(createAgent(url), application, withdrawn, { scope: 'openid' }),
  );
  keep('a token of a session that ended', its.body.access_token);
  await postern.db.query('test-end', 'DELETE FROM session WHERE user_id = $1', [withdrawn.id]);
  const other = await createPerson(postern);
  const without = await redeem(
    url,
    application,
    await getCode(createAgent(url), application, other, { scope: 'openid' }),
  );
  keep('a token without its grant', without.body.access_token);
  await postern.db.query('test-grant', "DELETE FROM token WHERE kind = 'Grant' AND user_id = $1", [other.id]);

  const chain = await createChain(postern, 2);
  const [front, back] = chain.services;
  if (!front || !back) throw new Error('a chain has services');
  callers.set('the front of a chain', front);
  callers.set('the back of a chain', back);
  const exchanged = await exchange(url, front, await chain.personToken(), chain.apis[1] ?? '', { scope: 'read' });
  keep('an exchanged token', exchanged.body.access_token);

  const ended = await createChain(postern, 2);
  const [caller] = ended.services;
  if (!caller) throw new Error('a chain has services');
  callers.set('a service that acted in a session', caller);
  const last = await exchange(url, caller, await ended.personToken(), ended.apis[1] ?? '');
  keep('an exchanged token of a session that ended', last.body.access_token);
  await postern.db.query('test-end', 'DELETE FROM session WHERE user_id = $1', [ended.person.id]);
}

async function ask(form: [string, string][], headers: Record<string, string>, extra: Record<string, string>) {
  const response = await fetch(`${postern.url}/oauth2/introspect`, {
    method: 'POST',
    headers: { ...headers, ...extra },
    body: new URLSearchParams(form),
  });
  const text = await response.text();
  const said = ['content-type', 'cache-control', 'www-authenticate', 'pragma'].map((name) =>
    response.headers.get(name),
  );
  return { status: response.status, said, body: text.startsWith('{') ? JSON.parse(text) : text };
}

test('S49 S50 the direct way and the library say the same of every token to every caller', async () => {
  const seen = { active: new Set<string>(), answers: 0, refused: 0 };
  for (const [caller, { clientId, secret }] of callers) {
    const { headers } = asClient({ clientId, secret });
    const credentials: [string, string][] = secret === '' ? [['client_id', clientId]] : [];
    for (const [name, token] of tokens) {
      const form: [string, string][] = [...credentials, ['token', token]];
      const direct = await ask(form, headers, {});
      const library = await ask(form, headers, THROUGH_LIBRARY);
      expect({ caller, name, answer: direct }).toEqual({ caller, name, answer: library });
      seen.answers += 1;
      if (direct.status !== 200) seen.refused += 1;
      else if (direct.body.active) seen.active.add(name);
    }
  }
  expect([...seen.active].sort()).toEqual([
    'a JWT of a person',
    'a JWT of a service',
    'a JWT that is bound to a key',
    'a refresh token',
    'an exchanged token',
    'an opaque token of a person',
    'an opaque token of a service',
  ]);
  expect(seen.refused).toBe(3 * tokens.size);
});

test('unusual questions have one answer, whichever way they go', async () => {
  const owner = callers.get('its owner') as Asking;
  const { headers } = asClient(owner);
  const token = tokens.get('an opaque token of a service') ?? '';
  const forms: [string, string][][] = [
    [
      ['token', token],
      ['token_type_hint', 'access_token'],
    ],
    [
      ['token', token],
      ['token_type_hint', 'refresh_token'],
    ],
    [
      ['token', token],
      ['token_type_hint', 'nonsense'],
    ],
    [
      ['token', token],
      ['token', token],
    ],
    [
      ['token', token],
      ['unknown', 'x'],
    ],
    [['token', '']],
    [],
    [
      ['token', token],
      ['client_id', owner.clientId],
    ],
    [
      ['token', token],
      ['client_id', 'svc_other'],
    ],
    [
      ['token', token],
      ['client_secret', owner.secret],
    ],
  ];
  for (const form of forms) {
    expect(await ask(form, headers, {})).toEqual(await ask(form, headers, THROUGH_LIBRARY));
  }
  const posted: [string, string][] = [
    ['client_id', owner.clientId],
    ['client_secret', owner.secret],
    ['token', token],
  ];
  expect(await ask(posted, {}, {})).toEqual(await ask(posted, {}, THROUGH_LIBRARY));
});

test('a plain question is answered without the library', async () => {
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
    const { headers } = asClient(callers.get('its owner') as Asking);
    const form: [string, string][] = [['token', tokens.get('a JWT of a service') ?? '']];
    expect((await ask(form, headers, {})).body.active).toBe(true);
    expect(met).toEqual([]);
    expect((await ask(form, headers, THROUGH_LIBRARY)).body.active).toBe(true);
    expect(met).not.toEqual([]);
  } finally {
    if (original) Object.defineProperty(Provider.prototype, 'AccessToken', original);
  }
});
