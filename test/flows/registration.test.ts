import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import { createAgent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { getCode, introspect, redeem, refresh } from '../support/oauth.ts';
import { BY_TEST, createApi, createPerson, grantRole, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { ask, eventsOf, initialToken, plainWeb, register } from '../support/registration.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let person: Person;
let url: string;

beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_REGISTRATION: 'token' } });
  person = await createPerson(postern);
  url = `${postern.url}/oauth2/register`;
});
afterAll(() => postern.close());

const bye = 'https://shop.example.com/bye';

describe('openid-client', () => {
  test('registers, signs a person in, refreshes, and signs them out', async () => {
    const { token } = await initialToken(postern);
    const config = await oidc.dynamicClientRegistration(
      new URL(postern.url),
      {
        ...plainWeb,
        post_logout_redirect_uris: [bye],
        grant_types: ['authorization_code', 'refresh_token'],
        contacts: ['ops@example.com'],
        software_id: 'shop',
        software_version: '1.2',
      },
      undefined,
      { initialAccessToken: token, execute: [oidc.allowInsecureRequests] },
    );
    const client = config.clientMetadata();
    expect(client).toMatchObject({
      client_id: expect.stringMatching(/^app_/),
      client_secret: expect.stringMatching(/^pst_[\w-]{49}$/),
      client_secret_expires_at: 0,
      client_id_issued_at: expect.any(Number),
      token_endpoint_auth_method: 'client_secret_basic',
      contacts: ['ops@example.com'],
      software_id: 'shop',
      scope: 'openid profile email',
      registration_client_uri: `${url}/${client.client_id}`,
    });

    const verifier = oidc.randomPKCECodeVerifier();
    const start = oidc.buildAuthorizationUrl(config, {
      redirect_uri: 'https://shop.example.com/callback',
      scope: 'openid email',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: 'state-1',
    });
    const agent = createAgent(postern.url);
    const consent = await signIn(agent, await agent.get(start.href), person);
    // Nobody vouched for it: the person is asked, by the name that it gave itself.
    expect([consent.url.endsWith('/consent'), consent.text]).toEqual([true, expect.stringContaining('Shop')]);
    const back = await agent.submit(consent, '/consent');
    const tokens = await oidc.authorizationCodeGrant(config, back.leaves ?? new URL('about:blank'), {
      pkceCodeVerifier: verifier,
      expectedState: 'state-1',
    });
    expect(tokens.claims()).toMatchObject({ sub: person.id, aud: client.client_id, email: person.email });
    const again = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '');
    expect(again.access_token).not.toBe(tokens.access_token);
    const userinfo = await oidc.fetchUserInfo(config, again.access_token, person.id);
    expect(userinfo.email).toBe(person.email);
  });
});

describe('oauth4webapi', () => {
  test('registers a native application, which gets no secret and no refresh token that it did not ask for', async () => {
    const { token } = await initialToken(postern);
    const as = await oauth
      .discoveryRequest(new URL(postern.url), { [oauth.allowInsecureRequests]: true })
      .then((response) => oauth.processDiscoveryResponse(new URL(postern.url), response));
    expect(as.registration_endpoint).toBe(url);
    const client = await oauth
      .dynamicClientRegistrationRequest(
        as,
        { application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'] },
        { initialAccessToken: token, [oauth.allowInsecureRequests]: true },
      )
      .then(oauth.processDynamicClientRegistrationResponse);
    expect(client).toMatchObject({ application_type: 'native', token_endpoint_auth_method: 'none' });
    expect(client).not.toHaveProperty('client_secret');
    const application = {
      clientId: client.client_id,
      secret: '',
      redirectUri: 'http://127.0.0.1/callback',
      postLogoutRedirectUri: '',
    };
    const got = await getCode(createAgent(postern.url), application, person, { scope: 'openid offline_access' });
    const { body } = await redeem(postern.url, application, got);
    expect(body.refresh_token).toBeUndefined();
    expect(decodeJwt(body.id_token ?? '').aud).toBe(client.client_id);
  });
});

test('a client signs its assertions with the keys that it registered', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const { token } = await initialToken(postern, { policy: { authMethods: ['private_key_jwt', 'none'] } });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] };
  const { status, body } = await register(postern.url, token, {
    ...plainWeb,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks,
  });
  expect([status, body]).toEqual([201, expect.not.objectContaining({ client_secret: expect.anything() })]);
  const config = await oidc.discovery(
    new URL(postern.url),
    body.client_id ?? '',
    {},
    oidc.PrivateKeyJwt(
      { key: privateKey, kid: 'one' },
      { [oidc.modifyAssertion]: (_, payload) => Object.assign(payload, { aud: postern.url }) },
    ),
    { execute: [oidc.allowInsecureRequests] },
  );
  const verifier = oidc.randomPKCECodeVerifier();
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: plainWeb.redirect_uris[0] ?? '',
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const agent = createAgent(postern.url);
  const back = await agent.submit(await signIn(agent, await agent.get(start.href), person), '/consent');
  const tokens = await oidc.authorizationCodeGrant(config, back.leaves ?? new URL('about:blank'), {
    pkceCodeVerifier: verifier,
  });
  expect(tokens.claims()?.sub).toBe(person.id);
});

test('API permissions come from the policy, and from nowhere else', async () => {
  const audience = await createApi(postern, ['read', 'write']);
  await grantRole(postern, person, [`${audience}#read`, `${audience}#write`]);
  const given = await initialToken(postern, { policy: { permissions: [`${audience}#read`] } });
  const tokenOf = async (initial: string) => {
    const { body } = await register(postern.url, initial, plainWeb);
    const application = {
      clientId: body.client_id ?? '',
      secret: body.client_secret ?? '',
      redirectUri: plainWeb.redirect_uris[0] ?? '',
      postLogoutRedirectUri: '',
    };
    const extra = { scope: 'openid read write', resource: audience };
    const agent = createAgent(postern.url);
    const got = await getCode(agent, application, person, extra).catch((error: Error) => error);
    return got instanceof Error ? got.message : (await redeem(postern.url, application, got)).body.scope;
  };
  expect(await tokenOf(given.token)).toBe('read');
  expect(await tokenOf((await initialToken(postern)).token)).toContain('error=invalid_target');
});

describe('management', () => {
  test('a client reads itself, without its secret', async () => {
    const { token } = await initialToken(postern);
    const made = await register(postern.url, token, { ...plainWeb, client_uri: 'https://shop.example.com/' });
    const { client_id: id = '', client_secret, client_secret_expires_at: _, ...rest } = made.body;
    const { status, headers, body } = await ask('GET', `${url}/${id}`, made.body.registration_access_token);
    expect([status, body]).toEqual([200, { client_id: id, ...rest }]);
    expect(JSON.stringify(body)).not.toContain('sha256');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(client_secret).toBeDefined();
  });

  test('a change replaces everything, keeps id and secret, and brings another token', async () => {
    const { token } = await initialToken(postern);
    const { body: made } = await register(postern.url, token, {
      ...plainWeb,
      policy_uri: 'https://shop.example.com/p',
    });
    const { client_id: id = '', registration_access_token: first = '' } = made;
    const change = {
      client_id: id,
      client_secret: made.client_secret,
      client_name: 'Shop 2',
      redirect_uris: ['https://two.example.com/cb'],
      scope: 'openid',
      grant_types: ['authorization_code', 'refresh_token'],
    };
    const { status, body } = await ask('PUT', `${url}/${id}`, first, change);
    const { client_secret: _secret, ...echoed } = change;
    expect([status, body]).toEqual([200, expect.objectContaining(echoed)]);
    expect(body).not.toHaveProperty('client_secret');
    expect(body).not.toHaveProperty('policy_uri');
    expect(body.registration_access_token).not.toBe(first);
    expect((await ask('GET', `${url}/${id}`, first)).status).toBe(401);

    const application = {
      clientId: id,
      secret: made.client_secret ?? '',
      redirectUri: 'https://two.example.com/cb',
      postLogoutRedirectUri: '',
    };
    await until(async () => {
      const asked = getCode(createAgent(postern.url), application, person, { scope: 'openid email' });
      return asked.then(
        () => false,
        (error: Error) => error.message.includes('error=invalid_scope'),
      );
    });
    const got = await getCode(createAgent(postern.url), application, person, { scope: 'openid' });
    const tokens = (await redeem(postern.url, application, got)).body;
    expect(tokens.scope).toBe('openid');
    expect((await refresh(postern.url, application, tokens.refresh_token ?? '')).status).toBe(200);

    const [event] = await eventsOf(postern, 'client.registration_update', id);
    expect(event).toMatchObject({
      outcome: 'success',
      actor_type: 'client',
      data: { before: { client_name: 'Shop' }, after: { client_name: 'Shop 2' } },
    });
  });

  test('from secret to keys and back: the secret ends, and another one is made', async () => {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwks = { keys: [await exportJWK(publicKey)] };
    const { token } = await initialToken(postern);
    const { body: made } = await register(postern.url, token, plainWeb);
    const at = `${url}/${made.client_id}`;
    const keyed = await ask('PUT', at, made.registration_access_token, {
      ...plainWeb,
      client_id: made.client_id,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
    });
    expect([keyed.status, keyed.body.client_secret]).toEqual([200, undefined]);
    const old = { clientId: made.client_id ?? '', secret: made.client_secret ?? '' };
    await until(async () => (await introspect(postern.url, old, 'x')).error === 'invalid_client');
    const back = await ask('PUT', at, keyed.body.registration_access_token, { ...plainWeb, client_id: made.client_id });
    expect([back.status, back.body.client_secret]).toEqual([200, expect.stringMatching(/^pst_/)]);
    const now = { ...old, secret: back.body.client_secret ?? '' };
    await until(async () => (await introspect(postern.url, now, 'x')).active === false);
  });

  test('a client that removes itself is gone with its tokens', async () => {
    const { token } = await initialToken(postern);
    const { body: made } = await register(postern.url, token, plainWeb);
    const application = {
      clientId: made.client_id ?? '',
      secret: made.client_secret ?? '',
      redirectUri: plainWeb.redirect_uris[0] ?? '',
      postLogoutRedirectUri: '',
    };
    const got = await getCode(createAgent(postern.url), application, person, { scope: 'openid' });
    const { access_token: access } = (await redeem(postern.url, application, got)).body;
    const at = `${url}/${made.client_id}`;
    expect((await ask('DELETE', at, made.registration_access_token)).status).toBe(204);
    expect((await ask('GET', at, made.registration_access_token)).status).toBe(401);
    const userinfo = await fetch(`${postern.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${access}` } });
    expect(userinfo.status).toBe(401);
    const [event] = await eventsOf(postern, 'client.registration_delete', made.client_id);
    expect(event).toMatchObject({ outcome: 'success', data: { revokedTokens: expect.any(Number) } });
  });
});

test('what registered itself is an application like any other to an admin, and marked', async () => {
  const { token, name } = await initialToken(postern);
  const { body } = await register(postern.url, token, plainWeb);
  const id = body.client_id ?? '';
  expect(await postern.parts.applications.byClientId(id)).toMatchObject({ firstParty: false, permissions: [] });
  const admin = await createPerson(postern, { roles: ['admin'] });
  const agent = await browserOf(postern, admin, '/admin/applications');
  const list = await agent.get(`/admin/applications?q=${id}`);
  expect(list.text).toContain('Registered itself');
  const page = await agent.get(`/admin/applications/${id}`);
  expect([page.text, page.text]).toEqual([expect.stringContaining('Registered itself'), expect.stringContaining(name)]);
  await agent.submit(page, '/disable');
  // Who is switched off can't change anything, and can again once it is switched on.
  const reads = async () => (await ask('GET', `${url}/${id}`, body.registration_access_token)).status;
  await until(async () => (await reads()) === 401);
  await postern.parts.applications.enable(id, BY_TEST);
  await until(async () => (await reads()) === 200);
});

test('an admin makes a token on its page, is told what is wrong with the form, and revokes it', async () => {
  const admin = await createPerson(postern, { roles: ['admin'] });
  const agent = await browserOf(postern, admin, '/admin/registration');
  const form = await agent.get('/admin/registration/new');
  const wrong = await agent.submit(form, '/new', { name: ' ', uses: '0', redirectHosts: 'a.example.com\nno host' });
  expect(wrong.status).toBe(422);
  for (const text of ['Fill this in', 'from 1 to 1000', 'Line 2']) expect(wrong.text).toContain(text);
  const made = await agent.submit(wrong, '/new', { name: 'Partners', uses: '2', redirectHosts: '*.example.com' });
  const [token = ''] = /pia_[\w-]{43}/.exec(made.text) ?? [];
  // Of several ticked boxes of one name the form sends the last here: native ones, that prove themselves with nothing.
  const native = { ...plainWeb, application_type: 'native' };
  expect((await register(postern.url, token, native)).status).toBe(201);
  const elsewhere = await register(postern.url, token, { ...native, redirect_uris: ['https://shop.example.org/'] });
  expect(elsewhere.body.error).toBe('invalid_redirect_uri');

  const list = await agent.get('/admin/registration');
  expect([list.text, list.text]).toEqual([expect.stringContaining('1 of 2'), expect.not.stringContaining(token)]);
  const [row] = (await postern.parts.registration.tokens.list({})).items.filter(({ name }) => name === 'Partners');
  const page = await agent.get(`/admin/registration/${row?.id}`);
  expect(page.text).toContain('Shop');
  expect((await agent.submit(page, '/revoke')).text).toContain('Revoked');
  expect((await register(postern.url, token, native)).status).toBe(401);
  expect((await eventsOf(postern, 'registration_token.revoke')).length).toBe(1);
});
