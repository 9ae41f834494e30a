import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { createSigner } from '../support/assertions.ts';
import { createAgent } from '../support/browserless.ts';
import { createHolder, freshNonce, postWithProof, proof } from '../support/dpop.ts';
import { clientCredentials, introspect, postForm, type TokenAnswer } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  signInAndAllow,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

let postern: Postern;
let person: Person;
let audience: string;
const opaque = 'urn:example:bound-and-opaque';

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  audience = await createApi(postern, ['read', 'introspect']);
  const permissions = [{ name: 'read', description: 'May read' }];
  await postern.parts.access.apis.create({ audience: opaque, permissions, tokenFormat: 'opaque' }, BY_TEST);
  await grantRole(postern, person, [`${audience}#read`]);
});
afterAll(() => postern.close());

const insecure = { execute: [client.allowInsecureRequests] };
const grant = { grant_type: 'client_credentials' };
const tokenUrl = () => `${postern.url}/oauth2/token`;

/** The code flow with DPoP as openid-client does it; it learns the nonce at its first try. */
async function authorize(application: Application, parameters: Record<string, string>) {
  const auth = application.secret === '' ? client.None() : client.ClientSecretBasic(application.secret);
  const config = await client.discovery(new URL(postern.url), application.clientId, undefined, auth, insecure);
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
  const verifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: application.redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await DPoP.calculateThumbprint(),
    ...parameters,
  });
  const agent = createAgent(postern.url);
  const page = await signInAndAllow(agent, await agent.get(url.href), person);
  if (!page.leaves) throw new Error(`it did not come back: ${page.text}`);
  const { resource } = parameters;
  const extra = resource === undefined ? undefined : { resource };
  const tokens = await client.authorizationCodeGrant(config, page.leaves, { pkceCodeVerifier: verifier }, extra, {
    DPoP,
  });
  return { config, DPoP, tokens };
}

describe('S11 S44 S46 the code flow with openid-client', () => {
  test.each(['spa', 'native', 'web'] as const)(
    '%s: bound tokens, userinfo, refresh with the same key, revocation',
    async (type) => {
      const redirectUris = type === 'native' ? { redirectUris: ['com.example.bound:/callback'] } : {};
      const application = await createApplication(postern, { type, ...redirectUris });
      const scope = 'openid email offline_access';
      const { config, DPoP, tokens } = await authorize(application, { scope, prompt: 'consent' });
      expect(tokens.token_type).toBe('dpop');
      const sub = person.id;
      expect(await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).toMatchObject({ sub });

      const held = String(tokens.refresh_token);
      if (type !== 'web') {
        // RFC 9449 section 5: nothing but the key speaks for a public client.
        const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
        for (const options of [{}, { DPoP: other }]) {
          await expect(client.refreshTokenGrant(config, held, {}, options)).rejects.toMatchObject({
            error: 'invalid_grant',
          });
        }
      }
      const next = await client.refreshTokenGrant(config, held, {}, { DPoP });
      expect(next.token_type).toBe('dpop');
      expect(await client.fetchUserInfo(config, next.access_token, sub, { DPoP })).toMatchObject({ sub });
      if (type === 'web') {
        expect(await client.tokenIntrospection(config, next.access_token)).toMatchObject({
          active: true,
          token_type: 'DPoP',
          cnf: { jkt: await DPoP.calculateThumbprint() },
        });
      }
      await client.tokenRevocation(config, next.access_token);
      await expect(client.fetchUserInfo(config, next.access_token, sub, { DPoP })).rejects.toThrow();
    },
  );

  test('a pushed request with a proof binds the code to its key', async () => {
    const application = await createApplication(postern);
    const auth = client.ClientSecretBasic(application.secret);
    const config = await client.discovery(new URL(postern.url), application.clientId, undefined, auth, insecure);
    const handle = async () => client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const [DPoP, other] = [await handle(), await handle()];
    const agent = createAgent(postern.url);
    const ask = async () => {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const parameters = {
        redirect_uri: application.redirectUri,
        scope: 'openid',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      };
      const pushed = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP });
      let page = await agent.get(pushed.href);
      if (!page.leaves) page = await signInAndAllow(agent, page, person);
      return { back: page.leaves ?? new URL('about:blank'), checks: { pkceCodeVerifier } };
    };
    const { back, checks } = await ask();
    const { token_type: type } = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
    expect(type).toBe('dpop');
    for (const options of [{}, { DPoP: other }]) {
      const again = await ask();
      await expect(
        client.authorizationCodeGrant(config, again.back, again.checks, undefined, options),
      ).rejects.toMatchObject({ error: 'invalid_grant' });
    }
  });

  test('the JWT for an API names the key, and the API accepts it with a proof', async () => {
    const application = await createApplication(postern, { type: 'spa', permissions: [`${audience}#read`] });
    const { tokens, DPoP } = await authorize(application, { scope: 'openid read', resource: audience });
    const keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
    const { payload } = await jwtVerify(tokens.access_token, keys, { issuer: postern.url, audience, typ: 'at+jwt' });
    expect(payload).toMatchObject({ sub: person.id, cnf: { jkt: await DPoP.calculateThumbprint() } });
  });
});

describe('a service with oauth4webapi', () => {
  const allow = { [oauth.allowInsecureRequests]: true };

  async function server(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(postern.url);
    const found = await oauth.discoveryRequest(issuer, { ...allow, algorithm: 'oauth2' });
    return oauth.processDiscoveryResponse(issuer, found);
  }

  test.each(['ES256', 'Ed25519', 'PS256'])('S44 S46 private_key_jwt, bound to a key of %s', async (alg) => {
    const as = await server();
    expect(as.dpop_signing_alg_values_supported).toContain(alg);
    const { clientId, privateKey } = await createSigner(postern, `${audience}#read`);
    const me: oauth.Client = { client_id: clientId };
    const DPoP = oauth.DPoP(me, await oauth.generateKeyPair(alg));
    const ask = async () => {
      const method = oauth.PrivateKeyJwt({ key: privateKey, kid: 'k1' });
      const response = await oauth.clientCredentialsGrantRequest(as, me, method, { scope: 'read' }, { ...allow, DPoP });
      return oauth.processClientCredentialsResponse(as, me, response);
    };
    const first: unknown = await ask().catch((error: unknown) => error);
    expect(oauth.isDPoPNonceError(first)).toBe(true);
    const { access_token: token, token_type: type } = await ask();
    expect(type).toBe('dpop');

    const url = new URL('https://api.example.com/things');
    const sent: Request[] = [];
    const customFetch = async (input: string, init: oauth.CustomFetchOptions<string, unknown>) => {
      sent.push(new Request(input, { method: init.method, headers: init.headers }));
      return new Response();
    };
    for (const shown of [token, 'other']) {
      await oauth.protectedResourceRequest(shown, 'GET', url, undefined, null, {
        DPoP,
        [oauth.customFetch]: customFetch,
      });
    }
    const [request, other] = sent as [Request, Request];
    other.headers.set('authorization', `DPoP ${token}`);
    const claims = await oauth.validateJwtAccessToken(as, request, audience, allow);
    expect(claims).toMatchObject({ sub: clientId, cnf: { jkt: await DPoP.calculateThumbprint() } });
    await expect(oauth.validateJwtAccessToken(as, other, audience, allow)).rejects.toThrow();
  });
});

describe('client_credentials', () => {
  test.each([
    ['a JWT', () => audience],
    ['an opaque token', () => opaque],
  ])('%s: introspection shows the key until it is revoked', async (_form, api) => {
    const service = await createService(postern, [`${api()}#read`]);
    const holder = await createHolder();
    const authorization = service.basic;
    const { status, body } = await postWithProof(tokenUrl(), grant, { authorization }, holder);
    expect({ status, type: body.token_type, scope: body.scope }).toEqual({ status: 200, type: 'DPoP', scope: 'read' });
    const token = String(body.access_token);
    expect(await introspect(postern.url, service, token)).toMatchObject({
      active: true,
      aud: api(),
      token_type: 'DPoP',
      cnf: { jkt: holder.thumbprint },
    });
    await postForm(`${postern.url}/oauth2/revoke`, { token }, { authorization });
    expect(await introspect(postern.url, service, token)).toEqual({ active: false });
  });

  test('S44 a client that has to send a proof gets nothing without one', async () => {
    const bound = await createService(postern, [`${audience}#read`]);
    await postern.parts.serviceAccounts.setProtocol(bound.id, { dpopBound: true }, BY_TEST);
    const answer = await clientCredentials(postern.url, bound);
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error: 'invalid_grant' });
    const holder = await createHolder();
    const { body } = await postWithProof(tokenUrl(), grant, { authorization: bound.basic }, holder);
    expect(body.token_type).toBe('DPoP');
  });
});

describe('S55 a page of another origin', () => {
  test('may send proofs, and read the nonce that is asked for', async () => {
    const spa = await createApplication(postern, { type: 'spa' });
    const { origin } = new URL(spa.redirectUri);
    for (const path of ['token', 'userinfo']) {
      const preflight = await fetch(`${postern.url}/oauth2/${path}`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,dpop',
        },
      });
      expect(preflight.headers.get('access-control-allow-headers')).toContain('dpop');
    }
    const form = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: spa.clientId,
    };
    const holder = await createHolder();
    const token = await postForm(tokenUrl(), form, { origin, dpop: await proof(holder, { url: tokenUrl() }) });
    const url = `${postern.url}/oauth2/userinfo`;
    const dpop = await proof(holder, { url, method: 'GET', token: 'x' });
    const userinfo = await fetch(url, { headers: { origin, dpop, authorization: 'DPoP x' } });
    await userinfo.body?.cancel();
    for (const { headers } of [token, userinfo]) {
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toMatch(/DPoP-Nonce/i);
      expect(headers.get('dpop-nonce')).toMatch(/^[\w-]{43}$/);
    }
  });
});

describe('over two processes', () => {
  let processes: PosternProcess[] = [];
  beforeAll(async () => {
    processes = await startProcesses(2, postern.databaseUrl);
  });
  afterAll(() => Promise.all(processes.map((one) => one.stop())));

  test('S44 a nonce of one is good at the other, and of 50 uses of one proof one succeeds', async () => {
    const [issuer = '', other = ''] = processes.map(({ url }) => url);
    const service = await createService(postern, [`${audience}#read`]);
    const headers = { authorization: service.basic };
    const nonce = await freshNonce(issuer, grant, headers);
    // `htu` is the public address, wherever the request came in.
    const url = `${issuer}/oauth2/token`;
    const holder = await createHolder();
    const send = async (origin: string, dpop: string) =>
      postForm(`${origin}/oauth2/token`, grant, { ...headers, dpop });
    expect((await send(other, await proof(holder, { url, nonce }))).status).toBe(200);
    const own = await proof(holder, { url: `${other}/oauth2/token`, nonce });
    expect((await send(other, own)).body.error).toBe('invalid_dpop_proof');

    const raced = await proof(holder, { url, nonce });
    const answers: TokenAnswer[] = await Promise.all(
      Array.from({ length: 50 }, (_, index) => send(processes[index % 2]?.url ?? '', raced)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const lost = answers.filter(({ status }) => status !== 200);
    expect(new Set(lost.map(({ status, body }) => `${status} ${body.error}`))).toEqual(new Set(['400 invalid_grant']));
  });
});
