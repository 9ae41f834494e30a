import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import { ACCESS_TOKEN, type Chain, createChain, exchange, TOKEN_EXCHANGE } from '../support/exchange.ts';
import { asClient, clientCredentials, introspect, postForm } from '../support/oauth.ts';
import { BY_TEST, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let chain: Chain;
let token: string;
const api = (index: number): string => chain.apis[index] ?? '';
const service = (index: number): Service => chain.services[index] ?? { id: '', clientId: '', secret: '', basic: '' };

beforeAll(async () => {
  postern = await startPostern();
  chain = await createChain(postern, 6);
  token = await chain.personToken();
});
afterAll(() => postern.close());

const go = (index: number, subject: string, extra: Record<string, string> = {}) =>
  exchange(postern.url, service(index), subject, api(index + 1), extra);

test('S37 a service calls the next one on behalf of a person, and the token says so', async () => {
  const { status, headers, body } = await go(0, token, { scope: 'read' });
  expect([status, body]).toEqual([
    200,
    {
      access_token: expect.any(String),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'read',
    },
  ]);
  expect(headers.get('cache-control')).toBe('no-store');
  const first = decodeJwt(token);
  const claims = decodeJwt(body.access_token ?? '');
  expect(claims).toMatchObject({
    iss: first.iss,
    sub: chain.person.id,
    aud: api(1),
    client_id: service(0).clientId,
    scope: 'read',
    act: { sub: service(0).clientId },
    auth_time: first.auth_time,
    acr: first.acr,
    amr: first.amr,
    sid: first.sid,
    roles: first.roles,
  });
  expect(claims.exp).toBeLessThanOrEqual(first.exp ?? 0);
  const told = await introspect(postern.url, service(1), body.access_token ?? '');
  expect(told).toMatchObject({
    active: true,
    sub: chain.person.id,
    client_id: service(0).clientId,
    act: { sub: service(0).clientId },
  });
});

test('S37 four services in a row are named, the latest outermost, and a fifth is refused', async () => {
  let current = token;
  for (let i = 0; i < 4; i++) {
    const { body } = await go(i, current);
    expect(body.error_description ?? '').toBe('');
    current = body.access_token ?? '';
  }
  const [a, b, c, d] = chain.services.map(({ clientId }) => clientId);
  expect(decodeJwt(current)).toMatchObject({
    sub: chain.person.id,
    client_id: d,
    act: { sub: d, act: { sub: c, act: { sub: b, act: { sub: a } } } },
  });
  const { status, body } = await go(4, current);
  expect([status, body]).toEqual([
    400,
    { error: 'invalid_request', error_description: 'a token passes through 4 services at the most' },
  ]);
});

test('S37 a service account may be the subject, and an opaque token takes the same way', async () => {
  const opaque = `urn:example:opaque:${Date.now()}`;
  const permissions = ['read', 'introspect'].map((name) => ({ name }));
  await postern.parts.access.apis.create({ audience: opaque, permissions, tokenFormat: 'opaque' }, BY_TEST);
  const caller = await createService(postern, [`${api(0)}#read`, `${opaque}#read`, `${api(1)}#read`]);
  const middle = await createService(postern, [
    `${api(0)}#introspect`,
    `${opaque}#read`,
    `${opaque}#introspect`,
    `${api(1)}#read`,
  ]);
  await postern.parts.serviceAccounts.setExchangeRules(middle.id, [opaque, api(1)], BY_TEST);
  const own = await clientCredentials(postern.url, caller, { resource: api(0), scope: 'read' });
  const first = await exchange(postern.url, middle, own.body.access_token ?? '', opaque);
  expect(first.body).toMatchObject({ scope: 'read', issued_token_type: ACCESS_TOKEN });
  const about = { sub: caller.clientId, client_id: middle.clientId, act: { sub: middle.clientId }, aud: opaque };
  expect(await introspect(postern.url, middle, first.body.access_token ?? '')).toMatchObject({
    active: true,
    ...about,
  });

  const second = await exchange(postern.url, middle, first.body.access_token ?? '', api(1));
  const claims = decodeJwt(second.body.access_token ?? '');
  const act = { sub: middle.clientId, act: { sub: middle.clientId } };
  expect(claims).toMatchObject({ sub: caller.clientId, client_id: middle.clientId, act, scope: 'read' });
  expect(await introspect(postern.url, service(1), second.body.access_token ?? '')).toMatchObject({
    active: true,
    sub: caller.clientId,
    act,
  });
  expect(
    (
      await exchange(postern.url, middle, own.body.access_token ?? '', opaque, {
        requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      })
    ).body.error,
  ).toBe('invalid_request');
});

test('S37 an actor_token must be the own token of the caller', async () => {
  const own = await clientCredentials(postern.url, service(0), { resource: api(1) });
  const type = { actor_token_type: ACCESS_TOKEN };
  const accepted = await go(0, token, { ...type, actor_token: own.body.access_token ?? '' });
  expect(accepted.body).toMatchObject({ scope: 'read write' });
  const other = await clientCredentials(postern.url, service(1), { resource: api(2) });
  for (const actor_token of [other.body.access_token ?? '', token, 'x']) {
    expect((await go(0, token, { ...type, actor_token })).body).toEqual({
      error: 'invalid_request',
      error_description: 'actor_token is not a valid token of this client',
    });
  }
  expect((await go(0, token, { actor_token: 'x' })).body.error).toBe('invalid_request');
  expect((await go(0, token, type)).body.error).toBe('invalid_request');
});

test('the event names subject, actors and parent, and so does that of a refusal', async () => {
  const { body } = await go(0, token);
  const { jti } = decodeJwt(body.access_token ?? '');
  const events = await postern.db.query<{ data: Record<string, unknown>; actor_id: string; client_id: string }>(
    'test-events',
    `SELECT data, actor_id, client_id FROM audit_event WHERE action = 'token.issue' AND data->'tokens'->0->>'jti' = $1`,
    [jti],
  );
  expect(events).toEqual([
    {
      actor_id: service(0).id,
      client_id: service(0).clientId,
      data: {
        grant_type: TOKEN_EXCHANGE,
        scope: 'read write',
        audience: api(1),
        tokens: [{ kind: 'AccessToken', jti }],
        subject: { type: 'user', id: chain.person.id, name: chain.person.email },
        act: { sub: service(0).clientId },
        parent: decodeJwt(token).jti,
      },
    },
  ]);
  await exchange(postern.url, service(0), token, api(3));
  const [refused] = await postern.db.query<{ data: Record<string, unknown> }>(
    'test-refusals',
    `SELECT data FROM audit_event WHERE action = 'token.refuse' AND client_id = $1 ORDER BY time DESC LIMIT 1`,
    [service(0).clientId],
  );
  expect(refused?.data).toMatchObject({ grant_type: TOKEN_EXCHANGE, parent: decodeJwt(token).jti });
});

describe('independent clients', () => {
  const asked = () => ({
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
    resource: api(1),
    scope: 'read',
  });

  test('oauth4webapi', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(postern.url);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    expect(as.grant_types_supported).toContain(TOKEN_EXCHANGE);
    const client = { client_id: service(0).clientId };
    const auth = oauth.ClientSecretBasic(service(0).secret);
    const response = await oauth.genericTokenEndpointRequest(as, client, auth, TOKEN_EXCHANGE, asked(), insecure);
    const result = await oauth.processGenericTokenEndpointResponse(as, client, response);
    expect(result).toMatchObject({ scope: 'read', issued_token_type: ACCESS_TOKEN });
  });

  test('openid-client', async () => {
    const execute = [oidc.allowInsecureRequests];
    const { clientId, secret } = service(0);
    const config = await oidc.discovery(new URL(postern.url), clientId, secret, undefined, { execute });
    const result = await oidc.genericGrantRequest(config, TOKEN_EXCHANGE, asked());
    expect(result).toMatchObject({ scope: 'read', issued_token_type: ACCESS_TOKEN });
  });
});

describe('what ends a token ends what was exchanged for it, and what was exchanged for that', () => {
  async function three(): Promise<string[]> {
    const first = await chain.personToken();
    const second = (await go(0, first)).body.access_token ?? '';
    const third = (await go(1, second)).body.access_token ?? '';
    expect(await alive([first, second, third])).toEqual([true, true, true]);
    return [first, second, third];
  }
  const alive = (tokens: string[]) =>
    Promise.all(tokens.map(async (one, index) => (await introspect(postern.url, service(index), one)).active));
  const jtiOf = (one: string | undefined) => decodeJwt(one ?? '').jti ?? '';

  test('S51 the application revokes it', async () => {
    const tokens = await three();
    const { form, headers } = asClient(chain.application);
    await postForm(`${postern.url}/oauth2/revoke`, { ...form, token: tokens[0] ?? '' }, headers);
    expect(await alive(tokens)).toEqual([false, false, false]);
  });

  test('S51 the service in the middle revokes its own', async () => {
    const tokens = await three();
    await postForm(`${postern.url}/oauth2/revoke`, { token: tokens[1] ?? '' }, asClient(service(0)).headers);
    expect(await alive(tokens)).toEqual([true, false, false]);
  });

  test('an admin revokes it', async () => {
    const tokens = await three();
    await postern.parts.tokens.revoke(jtiOf(tokens[0]), BY_TEST);
    expect(await alive(tokens)).toEqual([false, false, false]);
    const shown = await postern.parts.tokens.byJti(jtiOf(tokens[2]));
    expect(shown).toMatchObject({ state: 'revoked', parent: { jti: jtiOf(tokens[1]) } });
  });

  test('S78 the session ends, or the person is disabled', async () => {
    const tokens = await three();
    const [session] = await postern.parts.sessions.listForUser(chain.person.id);
    await postern.db.tx((tx) => postern.parts.sessions.end(tx, session?.uid ?? ''));
    expect(await alive(tokens)).toEqual([false, false, false]);
    expect((await go(0, tokens[0] ?? '')).body.error).toBe('invalid_request');
    const others = await three();
    await postern.parts.users.disable(chain.person.id, BY_TEST);
    expect(await alive(others)).toEqual([false, false, false]);
    expect((await go(0, others[0] ?? '')).body.error).toBe('invalid_request');
    await postern.parts.users.enable(chain.person.id, BY_TEST);
  });

  test('S33 the service that acted is disabled', async () => {
    const tokens = await three();
    await postern.parts.serviceAccounts.disable(service(0).id, BY_TEST);
    expect((await alive(tokens)).slice(1)).toEqual([false, false]);
    await postern.parts.serviceAccounts.enable(service(0).id, BY_TEST);
  });
});

test('S37 what was exchanged ends with the session that the subject token ends with', async () => {
  const own = await createChain(postern, 3);
  const [first, second] = own.services;
  if (!first || !second) throw new Error('a chain has services');
  const subject = await own.personToken();
  const exchanged = (await exchange(postern.url, first, subject, own.apis[1] ?? '')).body.access_token ?? '';
  expect((await introspect(postern.url, second, exchanged)).active).toBe(true);
  // As when nobody used it for too long: nothing is revoked.
  await postern.db.query('test-session-over', 'UPDATE session SET expires_at = now() WHERE user_id = $1', [
    own.person.id,
  ]);
  expect((await introspect(postern.url, first, subject)).active).toBe(false);
  expect((await introspect(postern.url, second, exchanged)).active).toBe(false);
  const further = await exchange(postern.url, second, exchanged, own.apis[2] ?? '');
  expect(further).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
});
