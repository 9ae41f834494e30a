import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { type Agent, createAgent } from '../support/browserless.ts';
import { copyTemplate } from '../support/database.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import {
  asClient,
  authorizePath,
  clientCredentials,
  codeRequest,
  getCode,
  introspect,
  postForm,
  redeem,
  refresh,
} from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let database: { url: string; drop(): Promise<void> };
let proxy: DatabaseProxy;
let audience: string;
let service: Service;
let person: Person;
let application: Application;
let agent: Agent;

beforeAll(async () => {
  database = await copyTemplate();
  proxy = await startDatabaseProxy(database.url);
  postern = await startPostern({ databaseUrl: proxy.url });
  audience = await createApi(postern, ['read']);
  service = await createService(postern, [`${audience}#read`]);
  person = await createPerson(postern);
  application = await createApplication(postern);
  agent = createAgent(postern.url);
});
afterAll(async () => {
  await postern.close();
  await proxy.cut();
  await database.drop();
});

interface EventRow {
  time: Date;
  action: string;
  outcome: string;
  reason: string | null;
  actor_type: string;
  actor_id: string | null;
  actor_name: string | null;
  client_id: string | null;
  address: string | null;
  user_agent: string | null;
  request_id: string | null;
  data: Record<string, unknown> | null;
}

/** The events that a piece of work leaves, in their order. They are asked for when the answer is there: no waiting. */
async function eventsOf(work: () => Promise<unknown>): Promise<EventRow[]> {
  const [before] = await postern.db.query<{ seq: string }>(
    'test-seq',
    'SELECT coalesce(max(seq), 0)::text AS seq FROM audit_event',
    [],
  );
  await work();
  return postern.db.query<EventRow>('test-events', 'SELECT * FROM audit_event WHERE seq > $1 ORDER BY seq', [
    before?.seq,
  ]);
}

const AGENT = { 'user-agent': 'test agent/1.0' };

describe('the audit log', () => {
  test('a token for a service: one event and one row, there when the answer is', async () => {
    let token = '';
    const events = await eventsOf(async () => {
      const { body, headers } = await postForm(
        `${postern.url}/oauth2/token`,
        { grant_type: 'client_credentials', scope: 'read', resource: audience },
        { ...asClient(service).headers, ...AGENT },
      );
      token = String(body.access_token);
      expect(headers.get('x-request-id')).toEqual(expect.any(String));
    });
    const { jti, exp, iat } = decodeJwt(token);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      action: 'token.issue',
      outcome: 'success',
      actor_type: 'service_account',
      actor_id: service.id,
      client_id: service.clientId,
      address: expect.stringMatching(/^(::1|127\.0\.0\.1|::ffff:127\.0\.0\.1)$/),
      user_agent: 'test agent/1.0',
      request_id: expect.any(String),
      data: { grant_type: 'client_credentials', scope: 'read', audience, tokens: [{ kind: 'ClientCredentials', jti }] },
    });
    expect(Math.abs(Number(events[0]?.time.getTime()) - Date.now())).toBeLessThan(10_000);

    const rows = await postern.db.query<Record<string, unknown>>('test-row', 'SELECT * FROM token WHERE jti = $1', [
      jti,
    ]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      kind: 'ClientCredentials',
      format: 'jwt',
      service_account_id: service.id,
      user_id: null,
      client_id: service.clientId,
      scopes: ['read'],
      audience,
      created_at: new Date(Number(iat) * 1000),
      expires_at: new Date(Number(exp) * 1000),
      revoked_at: null,
    });
  });

  test('a token for a person: events of the code and of the tokens, a row for each token', async () => {
    const events = await eventsOf(async () => {
      await redeem(postern.url, application, await getCode(agent, application, person));
    });
    expect(events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
      expect.arrayContaining(['user.sign_in success', 'authorization.grant success', 'token.issue success']),
    );
    const issued = events.filter(({ action }) => action === 'token.issue');
    expect(issued).toHaveLength(1);
    expect(issued[0]).toMatchObject({ actor_type: 'user', actor_id: person.id, client_id: application.clientId });
    const named = issued[0]?.data?.tokens as { kind: string; jti: string }[];
    expect(named.map(({ kind }) => kind).sort()).toEqual(['AccessToken', 'RefreshToken']);
    const rows = await postern.db.query<Record<string, unknown>>(
      'test-rows',
      'SELECT kind, user_id, client_id, scopes, expires_at FROM token WHERE jti = ANY($1) ORDER BY kind',
      [named.map(({ jti }) => jti)],
    );
    expect(rows).toMatchObject([
      { kind: 'AccessToken', user_id: person.id, client_id: application.clientId },
      { kind: 'RefreshToken', user_id: person.id, client_id: application.clientId },
    ]);
  });

  test('S89 client authentication: success and failure are written down', async () => {
    const wrong = await eventsOf(() => clientCredentials(postern.url, { ...service, secret: 'pst_wrong' }));
    expect(wrong).toMatchObject([
      {
        action: 'token.refuse',
        outcome: 'denied',
        reason: 'invalid_client',
        // Somebody who gave a name is not the one whose name it is.
        actor_type: 'anonymous',
        actor_id: null,
        client_id: service.clientId,
        request_id: expect.any(String),
      },
    ]);
    const right = await eventsOf(() => clientCredentials(postern.url, service));
    expect(right).toMatchObject([{ action: 'token.issue', actor_id: service.id }]);
  });

  test.each<[string, string, () => Promise<unknown>]>([
    ['token.refuse', 'invalid_scope', () => clientCredentials(postern.url, service, { scope: 'no' })],
    [
      'token.refuse',
      'invalid_target',
      () => clientCredentials(postern.url, service, { resource: 'https://no.example.com' }),
    ],
    ['token.refuse', 'unsupported_grant_type', () => clientCredentials(postern.url, service, { grant_type: 'magic' })],
    ['token.refuse', 'invalid_grant', () => refresh(postern.url, application, 'no')],
    ['token.refuse', 'invalid_grant', () => redeem(postern.url, application, { code: 'no', verifier: 'v'.repeat(43) })],
    ['token.refuse', 'invalid_client', () => postForm(`${postern.url}/oauth2/token`, { client_id: 'nobody' })],
    ['token.refuse', 'invalid_request', () => postForm(`${postern.url}/oauth2/token`, {})],
    ['token.introspect', 'invalid_client', () => introspect(postern.url, { ...service, secret: 'no' }, 'x')],
    [
      'token.revoke',
      'invalid_client',
      () => postForm(`${postern.url}/oauth2/revoke`, { token: 'x' }, asClient({ ...service, secret: 'no' }).headers),
    ],
    ['userinfo.refuse', 'invalid_token', () => fetch(`${postern.url}/oauth2/userinfo`, { headers: bearer('x') })],
    [
      'authorization.refuse',
      'login_required',
      () => createAgent(postern.url).get(authorizePath(codeRequest(application, { prompt: 'none' }).params)),
    ],
    [
      'authorization.refuse',
      'invalid_redirect_uri',
      () => agent.get(authorizePath(codeRequest(application, { redirect_uri: 'https://x.example' }).params)),
    ],
    [
      'authorization.refuse',
      'invalid_client',
      () => agent.get(authorizePath(codeRequest(application, { client_id: 'x' }).params)),
    ],
  ])('S90 %s (%s) is written down', async (action, reason, work) => {
    const events = await eventsOf(work);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ action, outcome: 'denied', reason, request_id: expect.any(String) });
  });

  test('a revocation is written down once it changed something', async () => {
    const { body } = await clientCredentials(postern.url, service);
    const revoke = (token: string, as = service) =>
      postForm(`${postern.url}/oauth2/revoke`, { token }, asClient(as).headers);
    const other = await createService(postern);
    expect(await eventsOf(() => revoke('unknown'))).toEqual([]);
    expect(await eventsOf(() => revoke(String(body.access_token), other))).toEqual([]);
    const events = await eventsOf(() => revoke(String(body.access_token)));
    expect(events).toMatchObject([{ action: 'token.revoke', outcome: 'success', actor_id: service.id }]);
  });

  test('S9 the replay of a code and S29 of a refresh token stand there as such', async () => {
    const got = await getCode(agent, application, person, { scope: 'openid offline_access', prompt: 'consent' });
    const { body } = await redeem(postern.url, application, got);
    await refresh(postern.url, application, String(body.refresh_token));
    const other = await createApplication(postern);
    const again = await getCode(agent, other, person);
    await redeem(postern.url, other, again);
    const replays = await eventsOf(async () => {
      await refresh(postern.url, application, String(body.refresh_token));
      await redeem(postern.url, other, again);
    });
    expect(replays).toMatchObject([
      { action: 'token.refuse', reason: 'invalid_grant', data: { detail: 'refresh token already used' } },
      { action: 'token.refuse', reason: 'invalid_grant', data: { detail: expect.stringContaining('consumed') } },
    ]);
  });

  test('S91 no credential and no token stands in the log or in the audit trail', async () => {
    const got = await getCode(agent, application, person, { scope: 'openid offline_access', prompt: 'consent' });
    const { body } = await redeem(postern.url, application, got);
    const next = await refresh(postern.url, application, String(body.refresh_token));
    const machine = await clientCredentials(postern.url, service);
    const wrongSecret = 'pst_a-wrong-secret-that-somebody-typed-in-here';
    await clientCredentials(postern.url, { ...service, secret: wrongSecret });
    await postForm(`${postern.url}/oauth2/token`, { client_id: service.clientId, client_secret: wrongSecret });
    await fetch(`${postern.url}/oauth2/userinfo?access_token=${body.access_token}`);
    await postForm(`${postern.url}/oauth2/introspect`, { token: String(body.access_token) }, asClient(service).headers);
    const secrets = [
      got.code,
      got.verifier,
      body.access_token,
      body.id_token,
      body.refresh_token,
      next.body.access_token,
      next.body.refresh_token,
      machine.body.access_token,
      application.secret,
      service.secret,
      wrongSecret,
      person.password,
      ...agent.cookies.map(({ value }) => value),
    ].map(String);
    const audit = await postern.db.query<{ text: string }>(
      'test-all-events',
      'SELECT e::text AS text FROM audit_event e',
      [],
    );
    const written = JSON.stringify(postern.logged) + audit.map(({ text }) => text).join('\n');
    expect(written.length).toBeGreaterThan(10_000);
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(15);
      expect({ secret, found: written.includes(secret) }).toEqual({ secret, found: false });
    }
  });

  test('S91 at rest there is no code, token or cookie either', async () => {
    const got = await getCode(agent, application, person, { scope: 'openid offline_access', prompt: 'consent' });
    const { body } = await redeem(postern.url, application, got);
    const unused = await getCode(agent, application, person);
    const rows = await postern.db.query<{ text: string }>(
      'test-at-rest',
      'SELECT t::text AS text FROM token t UNION ALL SELECT s::text FROM session s UNION ALL SELECT a::text FROM sign_in_attempt a',
      [],
    );
    const stored = rows.map(({ text }) => text).join('\n');
    const bearers = [got.code, unused.code, body.access_token, body.refresh_token].map(String);
    for (const value of [...bearers, ...agent.cookies.map((cookie) => cookie.value)]) {
      expect(stored.includes(value)).toBe(false);
    }
  });

  test('S95 what an attacker names is cut and kept harmless', async () => {
    const clientId = `\u202eevil\r\n\u001b[31m${'x'.repeat(5_000)}`;
    await fetch(`${postern.url}/oauth2/${encodeURIComponent(clientId.slice(0, 20))}`);
    const [event] = await eventsOf(() =>
      postForm(
        `${postern.url}/oauth2/token`,
        { grant_type: 'x', client_id: clientId },
        { 'user-agent': 'u'.repeat(3_000) },
      ),
    );
    expect(event?.client_id?.length ?? 0).toBeLessThanOrEqual(512);
    expect(event?.user_agent?.length).toBeLessThanOrEqual(512);
    // A log line is JSON; nothing that a terminal acts on is left in it.
    const written = postern.lines.join('');
    for (const character of ['\u202e', '\u001b', '\r']) expect(written).not.toContain(character);
  });
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('round trips', () => {
  test('client_credentials waits for at most 2 statements, 1 when the client is known', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const statements: string[] = [];
    const original = pg.Client.prototype.query;
    pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
      const [first] = args as [string | { text?: string; name?: string }];
      statements.push(typeof first === 'string' ? first : (first.name ?? first.text ?? ''));
      return Reflect.apply(original, this, args) as never;
    } as typeof original;
    try {
      const cold = await clientCredentials(postern.url, account, { scope: 'read', resource: audience });
      expect(cold.status).toBe(200);
      expect(statements).toEqual(['client-find', 'audit-commit-together']);
      // Once the news of its making has gone round.
      await until(async () => {
        statements.length = 0;
        const warm = await clientCredentials(postern.url, account);
        expect(warm.status).toBe(200);
        return statements.length === 1;
      });
      expect(statements).toEqual(['audit-commit-together']);
      statements.length = 0;
      // Of requests at the same time some may share one commit; none needs more.
      await Promise.all(Array.from({ length: 30 }, () => clientCredentials(postern.url, account)));
      const commits = statements.filter((name) => name === 'audit-commit-together');
      expect(commits.length).toBeLessThanOrEqual(30);
      const finds = statements.length - commits.length;
      expect(statements.filter((name) => name === 'client-find')).toHaveLength(finds);
    } finally {
      pg.Client.prototype.query = original;
    }
  });
});

describe('without a database', () => {
  test('S93 nothing is issued, nothing is active, and all is well again afterwards', async () => {
    const token = String((await clientCredentials(postern.url, service)).body.access_token);
    const { body } = await redeem(postern.url, application, await getCode(agent, application, person));
    await proxy.cut();
    try {
      const outages = [
        // Known to the cache: its secret is right, and still it gets nothing that is not written down.
        await clientCredentials(postern.url, service),
        await clientCredentials(postern.url, { ...service, clientId: 'svc_not-cached' }),
        await refresh(postern.url, application, String(body.refresh_token)),
        await redeem(postern.url, application, { code: 'x', verifier: 'v'.repeat(43) }),
        await postForm(`${postern.url}/oauth2/introspect`, { token }, asClient(service).headers),
        await postForm(`${postern.url}/oauth2/revoke`, { token }, asClient(service).headers),
      ];
      expect(outages.map(({ status, body: { error } }) => `${status} ${error}`)).toEqual(
        outages.map(() => '503 temporarily_unavailable'),
      );
      for (const { body: answer, headers } of outages) {
        expect(headers.get('retry-after')).toMatch(/^\d+$/);
        expect(Object.keys(answer).filter((name) => /token|active/.test(name))).toEqual([]);
      }
      const userinfo = await fetch(`${postern.url}/oauth2/userinfo`, { headers: bearer(String(body.access_token)) });
      expect(userinfo.status).toBe(503);
      const page = await agent.get(authorizePath(codeRequest(application).params));
      expect({ status: page.status, leaves: page.leaves }).toEqual({ status: 503, leaves: undefined });
      expect((await fetch(`${postern.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${postern.url}/healthz`)).status).toBe(200);
      // What needs no database goes on.
      expect((await fetch(`${postern.url}/oauth2/jwks`)).status).toBe(200);
    } finally {
      await proxy.restore();
    }
    await until(async () => (await clientCredentials(postern.url, service)).status === 200, 10);
    expect(await introspect(postern.url, service, token)).toMatchObject({ active: true });
    await until(async () => (await fetch(`${postern.url}/readyz`)).status === 200, 10);
  });
});
