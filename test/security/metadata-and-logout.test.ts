import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeRequest, getCode, redeem, refresh } from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let person: Person;
let application: Application;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  application = await createApplication(postern);
});
afterAll(() => postern.close());

type Metadata = Record<string, string | string[] | boolean | undefined>;

async function metadata(name = 'openid-configuration'): Promise<Metadata> {
  const response = await fetch(`${postern.url}/.well-known/${name}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Metadata;
}

describe('metadata', () => {
  test.each(['openid-configuration', 'oauth-authorization-server'])(
    'S54 %s: the issuer is the configured one, whatever the request says',
    async (name) => {
      const port = new URL(postern.url).port;
      for (const headers of [{}, { 'x-forwarded-host': 'attacker.example' }, { forwarded: 'host=attacker.example' }]) {
        const response = await fetch(`${postern.url}/.well-known/${name}`, { headers });
        const document = (await response.json()) as Metadata;
        expect(document.issuer).toBe(postern.url);
        expect(JSON.stringify(document)).not.toContain('attacker');
      }
      const other = await fetch(`http://127.0.0.1:${port}/.well-known/${name}`);
      expect(other.status).toBe(421);
      expect(await other.text()).toContain('POSTERN_ISSUER');
    },
  );

  test('S54 what is listed works, and what is not there is not listed', async () => {
    const document = await metadata();
    expect(document).toMatchObject({
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      acr_values_supported: ['urn:postern:aal2'],
      subject_types_supported: ['public'],
    });
    expect([...(document.grant_types_supported as string[])].sort()).toEqual([
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:openid:params:grant-type:ciba',
    ]);
    expect([...(document.scopes_supported as string[])].sort()).toEqual(
      ['email', 'offline_access', 'openid', 'profile', 'roles', 'groups'].sort(),
    );
    expect(document).toMatchObject({
      request_parameter_supported: true,
      request_object_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA'],
      authorization_signing_alg_values_supported: ['ES256'],
      claims_parameter_supported: true,
      backchannel_token_delivery_modes_supported: ['poll'],
      backchannel_user_code_parameter_supported: false,
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA', 'PS256'],
      introspection_signing_alg_values_supported: expect.arrayContaining(['ES256', 'EdDSA', 'RS256']),
    });
    // RFC 8414 section 2: a list without entries is left out, and no API declared a type.
    expect(document).not.toHaveProperty('authorization_details_types_supported');
    // RFC 9126 section 5: false where it is left out.
    expect(document.require_pushed_authorization_requests ?? false).toBe(false);
    expect([...(document.response_modes_supported as string[])].sort()).toEqual(
      ['query', 'fragment', 'form_post', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt'].sort(),
    );
    expect(document.request_uri_parameter_supported ?? false).toBe(false);
    const listed = Object.entries(document).filter(([name]) => /_endpoint$|_uri$/.test(name));
    expect(listed.map(([name]) => name).sort()).toEqual([
      'authorization_endpoint',
      'backchannel_authentication_endpoint',
      'end_session_endpoint',
      'introspection_endpoint',
      'jwks_uri',
      'pushed_authorization_request_endpoint',
      'revocation_endpoint',
      'token_endpoint',
      'userinfo_endpoint',
    ]);
    for (const [name, address] of listed) {
      expect(String(address).startsWith(`${postern.url}/oauth2/`)).toBe(true);
      const method = /token|introspect|revo|pushed|backchannel/.test(name) ? 'POST' : 'GET';
      const response = await fetch(String(address), { method, redirect: 'manual' });
      await response.body?.cancel();
      expect({ name, found: response.status !== 404 && response.status < 500 }).toEqual({ name, found: true });
    }
  });

  test('S54 what is not listed is not served', async () => {
    for (const path of ['device_authorization', 'device', 'register', 'x']) {
      for (const method of ['GET', 'POST']) {
        const response = await fetch(`${postern.url}/oauth2/${path}`, { method });
        await response.body?.cancel();
        expect({ path, method, status: response.status }).toMatchObject({ path, method, status: 404 });
      }
    }
  });

  test('S54 every algorithm that is listed for signing has a key', async () => {
    const document = await metadata();
    const response = await fetch(String(document.jwks_uri));
    const { keys } = (await response.json()) as { keys: { alg: string }[] };
    const available = new Set(keys.map(({ alg }) => alg));
    for (const alg of document.id_token_signing_alg_values_supported as string[]) expect(available).toContain(alg);
  });

  test('S40 no algorithm without a signature, and none with a shared secret, is listed anywhere', async () => {
    const algorithms = Object.entries(await metadata()).flatMap(([name, value]) =>
      name.includes('_alg_') ? [value].flat() : [],
    );
    expect(algorithms.length).toBeGreaterThan(0);
    expect(algorithms.filter((alg) => /^(none|HS|A\d|dir)/.test(String(alg)))).toEqual([]);
  });

  test('both documents say the same', async () => {
    expect(await metadata('oauth-authorization-server')).toEqual(await metadata());
  });
});

describe('other origins', () => {
  const allowed = (response: Response) => response.headers.get('access-control-allow-origin');
  const post = (path: string, origin: string, form: Record<string, string>) =>
    fetch(`${postern.url}${path}`, { method: 'POST', headers: { origin }, body: new URLSearchParams(form) });

  test('S55 the token endpoint answers the origins that a public client registered, never null', async () => {
    const spa = await createApplication(postern, { type: 'spa' });
    const own = new URL(spa.redirectUri).origin;
    const form = {
      grant_type: 'authorization_code',
      client_id: spa.clientId,
      code: 'x',
      redirect_uri: spa.redirectUri,
    };
    expect(allowed(await post('/oauth2/token', own, form))).toBe(own);
    for (const origin of [
      'null',
      'https://attacker.example',
      `${own}.attacker.example`,
      own.replace('https', 'http'),
    ]) {
      expect(allowed(await post('/oauth2/token', origin, form))).toBeNull();
    }
    // A confidential client has no business in a browser.
    const confidential = new URL(application.redirectUri).origin;
    const inBrowser = { ...form, client_id: application.clientId };
    expect(allowed(await post('/oauth2/token', confidential, inBrowser))).toBeNull();
  });

  test('S55 no answer of the authorization endpoint, the pages or the admin pages may be read', async () => {
    const spa = await createApplication(postern, { type: 'spa' });
    const { origin } = new URL(spa.redirectUri);
    for (const path of [authorizePath(codeRequest(spa).params), '/account', '/admin', '/setup', '/oauth2/logout']) {
      for (const method of ['GET', 'OPTIONS']) {
        const response = await fetch(`${postern.url}${path}`, { method, headers: { origin }, redirect: 'manual' });
        await response.body?.cancel();
        expect({ path, method, allowed: allowed(response) }).toEqual({ path, method, allowed: null });
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
      }
    }
  });

  test('S55 a token that came by another origin is not given to it', async () => {
    const audience = await createApi(postern, ['read']);
    const service = await createService(postern, [`${audience}#read`]);
    const response = await fetch(`${postern.url}/oauth2/token`, {
      method: 'POST',
      headers: { origin: 'https://attacker.example', authorization: service.basic },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    expect(allowed(response)).toBeNull();
  });
});

describe('logging out', () => {
  async function signedIn(): Promise<{ agent: Agent; idToken: string; refreshToken: string }> {
    const agent = createAgent(postern.url);
    const { body } = await redeem(postern.url, application, await getCode(agent, application, person));
    return { agent, idToken: String(body.id_token), refreshToken: String(body.refresh_token) };
  }

  async function isSignedIn(agent: Agent): Promise<boolean> {
    const page = await agent.get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
    return page.leaves?.searchParams.has('code') ?? false;
  }

  function logoutPath(params: Record<string, string>): string {
    return `/oauth2/logout?${new URLSearchParams(params)}`;
  }

  /** The library's own form: its button stands outside of it and sends `logout`. */
  function confirm(agent: Agent, page: Page, change: Record<string, string> = {}): Promise<Page> {
    const form = page.forms.find(({ fields }) => 'xsrf' in fields);
    if (!form) throw new Error(`no confirmation: ${page.status} ${page.text}`);
    return agent.post(new URL(form.action, page.url).href, { ...form.fields, logout: 'yes', ...change });
  }

  test('S53 with a valid hint: confirmed, signed out, and back with the state', async () => {
    const { agent, idToken, refreshToken } = await signedIn();
    const page = await agent.get(
      logoutPath({
        id_token_hint: idToken,
        post_logout_redirect_uri: application.postLogoutRedirectUri,
        state: 's&t=1',
      }),
    );
    expect(page.status).toBe(200);
    expect(page.leaves).toBeUndefined();
    // Looking at the page ends nothing.
    expect(await isSignedIn(agent.clone())).toBe(true);
    const done = await confirm(agent, page);
    expect(done.leaves?.href).toBe(`${application.postLogoutRedirectUri}?state=s%26t%3D1`);
    expect(done.hops.every(({ status }) => status === 303)).toBe(true);
    expect(await isSignedIn(agent)).toBe(false);
    const refused = await refresh(postern.url, application, refreshToken);
    expect(refused.body.error).toBe('invalid_grant');
  });

  test('S77 the cookies of a session that was logged out are worth nothing', async () => {
    const { agent, idToken } = await signedIn();
    const kept = agent.clone();
    await confirm(agent, await agent.get(logoutPath({ id_token_hint: idToken })));
    expect(await isSignedIn(kept)).toBe(false);
  });

  test('S53 without a hint: nothing without a confirmation, and no way to an address that nobody vouches for', async () => {
    const { agent } = await signedIn();
    const page = await agent.get(logoutPath({ post_logout_redirect_uri: application.postLogoutRedirectUri }));
    expect(page.status).toBe(200);
    expect(await isSignedIn(agent.clone())).toBe(true);
    const done = await confirm(agent, page);
    expect(done.leaves).toBeUndefined();
    expect(await isSignedIn(agent)).toBe(false);
  });

  test.each([
    ['a slash at the end', (uri: string) => `${uri}/`],
    ['a query', (uri: string) => `${uri}?x=1`],
    ['another host', () => 'https://attacker.example/bye'],
    ['the redirect URI', () => application.redirectUri],
    ['another case', (uri: string) => uri.toUpperCase()],
    ['a script', () => 'javascript:alert(1)'],
  ])('S53 the post-logout address with %s is refused', async (_name, mutate) => {
    const { agent, idToken } = await signedIn();
    const uri = mutate(application.postLogoutRedirectUri);
    for (const who of [{ id_token_hint: idToken }, { client_id: application.clientId }]) {
      const page = await agent.get(logoutPath({ ...who, post_logout_redirect_uri: uri } as Record<string, string>));
      expect(page.status).toBe(400);
      expect(page.headers.get('location')).toBeNull();
      expect(page.forms.some(({ fields }) => 'xsrf' in fields)).toBe(false);
    }
    expect(await isSignedIn(agent)).toBe(true);
  });

  test("S53 another client's hint does not open my address", async () => {
    const other = await createApplication(postern);
    const { agent, idToken } = await signedIn();
    const uris = { post_logout_redirect_uri: other.postLogoutRedirectUri, id_token_hint: idToken };
    for (const params of [uris, { ...uris, client_id: other.clientId }]) {
      expect((await agent.get(logoutPath(params))).status).toBe(400);
    }
    expect(await isSignedIn(agent)).toBe(true);
  });

  test('S53 a confirmation that our page did not send ends nothing', async () => {
    const { agent, idToken } = await signedIn();
    const forged = await agent.post('/oauth2/logout/confirm', { xsrf: 'x', logout: 'yes' });
    expect(forged.status).toBeGreaterThanOrEqual(400);
    expect(await isSignedIn(agent.clone())).toBe(true);
    const page = await agent.get(logoutPath({ id_token_hint: idToken }));
    const wrong = await confirm(agent, page, { xsrf: '0'.repeat(64) });
    expect(wrong.status).toBeGreaterThanOrEqual(400);
    expect(await isSignedIn(agent)).toBe(true);
  });

  test('S53 signing out of one browser leaves the others alone', async () => {
    const mine = await signedIn();
    const other = await signedIn();
    await confirm(mine.agent, await mine.agent.get(logoutPath({ id_token_hint: mine.idToken })));
    expect(await isSignedIn(other.agent)).toBe(true);
    expect((await refresh(postern.url, application, other.refreshToken)).status).toBe(200);
  });
});
