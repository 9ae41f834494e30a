import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { createAgent } from '../support/browserless.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  signIn,
  signInAndAllow,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let person: Person;
let audience: string;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  audience = await createApi(postern, ['read', 'write']);
  await grantRole(postern, person, [`${audience}#read`]);
});
afterAll(() => postern.close());

/** Plain http, as on a developer's machine. */
const insecure = { execute: [client.allowInsecureRequests] };

function discover(application: Application): Promise<client.Configuration> {
  const auth = application.secret === '' ? client.None() : client.ClientSecretBasic(application.secret);
  return client.discovery(new URL(postern.url), application.clientId, undefined, auth, insecure);
}

/** Discovery, authorization with PKCE, a person who signs in and allows, and the code exchanged. */
async function authorize(application: Application, parameters: Record<string, string>) {
  const config = await discover(application);
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: application.redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...parameters,
  });
  const agent = createAgent(postern.url);
  const page = await signInAndAllow(agent, await agent.get(url.href), person);
  if (!page.leaves) throw new Error(`it did not come back: ${page.text}`);
  const tokens = await client.authorizationCodeGrant(
    config,
    page.leaves,
    { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce },
    parameters.resource === undefined ? undefined : { resource: parameters.resource },
  );
  return { config, agent, tokens };
}

describe('openid-client', () => {
  test.each([
    ['web', false],
    ['web', true],
    ['spa', false],
    ['native', false],
  ] as const)(
    'a %s application (first-party: %s): sign-in, userinfo, refresh, revocation, logout',
    async (type, own) => {
      const application = await createApplication(postern, {
        type,
        firstParty: own,
        ...(type === 'native' ? { redirectUris: ['com.example.app:/callback'] } : {}),
      });
      const scope = 'openid profile email roles offline_access';
      const { config, agent, tokens } = await authorize(application, { scope, prompt: 'consent' });
      const sub = tokens.claims()?.sub ?? '';
      expect(sub).toBe(person.id);
      expect(tokens.claims()).toMatchObject({
        email: person.email,
        acr: 'urn:postern:aal2',
        amr: ['pwd', 'otp', 'mfa'],
      });

      const info = await client.fetchUserInfo(config, tokens.access_token, sub);
      expect(info).toMatchObject({ sub, email: person.email, name: person.name, roles: expect.any(Array) });

      const next = await client.refreshTokenGrant(config, String(tokens.refresh_token));
      expect(next.claims()?.sub).toBe(sub);
      expect(await client.fetchUserInfo(config, next.access_token, sub)).toMatchObject({ sub });

      if (type === 'web') {
        expect(await client.tokenIntrospection(config, next.access_token)).toMatchObject({ active: true, sub });
      }
      await client.tokenRevocation(config, String(next.refresh_token));
      await expect(client.refreshTokenGrant(config, String(next.refresh_token))).rejects.toMatchObject({
        error: 'invalid_grant',
      });
      await expect(client.fetchUserInfo(config, next.access_token, sub)).rejects.toThrow();

      const bye = client.buildEndSessionUrl(config, {
        id_token_hint: String(tokens.id_token),
        post_logout_redirect_uri: application.postLogoutRedirectUri,
      });
      const question = await agent.get(bye.href);
      const form = question.forms.find(({ fields }) => 'xsrf' in fields);
      const done = await agent.post(String(form?.action), { ...form?.fields, logout: 'yes' });
      expect(done.leaves?.href).toBe(application.postLogoutRedirectUri);
    },
  );

  test('an application gets a JWT for an API, with the permissions that the person holds', async () => {
    const permissions = [`${audience}#read`, `${audience}#write`];
    const application = await createApplication(postern, { firstParty: false, permissions });
    const { tokens } = await authorize(application, { scope: 'openid read write', resource: audience });
    const keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
    const { payload } = await jwtVerify(tokens.access_token, keys, { issuer: postern.url, audience, typ: 'at+jwt' });
    expect(payload).toMatchObject({ sub: person.id, client_id: application.clientId, scope: 'read' });
    expect(tokens.scope).toBe('read');
  });

  test('S19 consent names the application and each scope in words, is remembered, and a no is passed on', async () => {
    const permissions = [`${audience}#read`];
    const application = await createApplication(postern, { firstParty: false, permissions });
    const config = await discover(application);
    const url = (extra: Record<string, string> = {}) =>
      client.buildAuthorizationUrl(config, {
        redirect_uri: application.redirectUri,
        code_challenge: 'c'.repeat(43),
        code_challenge_method: 'S256',
        scope: 'openid email read',
        resource: audience,
        ...extra,
      }).href;
    const agent = createAgent(postern.url);
    const asked = await signIn(agent, await agent.get(url()), person);
    expect(asked.url).toMatch(/\/consent$/);
    const name = application.redirectUri.replace(/^https:\/\/app(\d+)\..*$/, 'Application $1');
    expect(asked.text).toContain(name);
    expect(asked.text).toContain('May read');
    expect(asked.text).toContain(new URL(application.redirectUri).host);
    const denied = await agent.clone().submit(asked, '/abort');
    expect(denied.leaves?.searchParams.get('error')).toBe('access_denied');
    const allowed = await agent.submit(await agent.get(url()), '/consent');
    expect(allowed.leaves?.searchParams.has('code')).toBe(true);
    const again = await agent.get(url());
    expect(again.leaves?.searchParams.has('code')).toBe(true);
    // More than was allowed is asked for anew.
    expect((await agent.get(url({ scope: 'openid email profile read' }))).url).toMatch(/\/consent$/);
  });

  test('claims that are named one by one come with the scope that gives them, and ask for no page', async () => {
    for (const firstParty of [true, false]) {
      const application = await createApplication(postern, { firstParty });
      await postern.parts.applications.setProtocol(application.clientId, { claimsParameter: true }, BY_TEST);
      const claims = JSON.stringify({
        id_token: { email: { essential: true }, auth_time: { essential: true } },
        userinfo: { name: null, roles: null },
      });
      const { config, tokens } = await authorize(application, { scope: 'openid email', claims });
      expect(tokens.claims()).toMatchObject({ email: person.email, auth_time: expect.any(Number) });
      const info = await client.fetchUserInfo(config, tokens.access_token, person.id);
      expect(info).toMatchObject({ sub: person.id, email: person.email });
      for (const name of ['name', 'roles']) expect(info).not.toHaveProperty(name);
    }
  });

  test('S19 public clients always ask, first-party ones never', async () => {
    for (const [firstParty, expected] of [
      [false, true],
      [true, false],
    ] as const) {
      const application = await createApplication(postern, { type: 'spa', firstParty });
      const { agent, config } = await authorize(application, { scope: 'openid email' });
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: application.redirectUri,
        code_challenge: 'c'.repeat(43),
        code_challenge_method: 'S256',
        scope: 'openid email',
      });
      const page = await agent.get(url.href);
      expect(page.url.endsWith('/consent')).toBe(expected);
    }
  });

  test('a service: client credentials, introspection, revocation', async () => {
    const service = await createService(postern, [`${audience}#read`]);
    for (const auth of [client.ClientSecretBasic(service.secret), client.ClientSecretPost(service.secret)]) {
      const config = await client.discovery(new URL(postern.url), service.clientId, undefined, auth, insecure);
      const tokens = await client.clientCredentialsGrant(config, { resource: audience });
      expect(tokens).toMatchObject({ scope: 'read', token_type: 'bearer', expires_in: 300 });
      expect(await client.tokenIntrospection(config, tokens.access_token)).toMatchObject({
        active: true,
        aud: audience,
      });
      await client.tokenRevocation(config, tokens.access_token);
      expect(await client.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false });
    }
  });
});

describe('oauth4webapi', () => {
  test('a service gets a token, and an API takes it as RFC 9068 says', async () => {
    const issuer = new URL(postern.url);
    const allow = { [oauth.allowInsecureRequests]: true };
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...allow, algorithm: 'oauth2' }),
    );
    const service = await createService(postern, [`${audience}#read`]);
    const me: oauth.Client = { client_id: service.clientId };
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      me,
      oauth.ClientSecretBasic(service.secret),
      new URLSearchParams({ resource: audience, scope: 'read' }),
      allow,
    );
    const tokens = await oauth.processClientCredentialsResponse(server, me, response);
    const request = new Request('https://api.example.com/things', {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    const claims = await oauth.validateJwtAccessToken(server, request, audience, allow);
    expect(claims).toMatchObject({ sub: service.clientId, client_id: service.clientId, scope: 'read', aud: audience });
    await expect(oauth.validateJwtAccessToken(server, request, 'https://other.example.com', allow)).rejects.toThrow();
  });
});
