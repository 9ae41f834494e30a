import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as client from 'openid-client';
import { assertion, assertionForm, pairOf } from '../support/assertions.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createHolder, type Holder, proof } from '../support/dpop.ts';
import { authorizePath, codeOf, codeRequest, getCode, postForm, type TokenAnswer } from '../support/oauth.ts';
import {
  asError,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  signInAndAllow,
  useAssertions,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import {
  createSigningApplication,
  push,
  pushed,
  requestObject,
  type SigningApplication,
  setProtocol,
} from '../support/requests.ts';
import { moveTime } from '../support/time.ts';

const PROFILE = { requirePushedRequests: true, dpopBound: true, fapi: true };

let postern: Postern;
let person: Person;
let application: SigningApplication;
let audience: string;
/** An API whose tokens are signed with RS256. */
let old: string;
/** Signed in before the first test. */
let agent: Agent;
let holder: Holder;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  audience = await createApi(postern, ['read']);
  old = 'https://old.example.com';
  await postern.parts.access.apis.create(
    { audience: old, permissions: [{ name: 'use', description: 'May use it' }], signingAlg: 'RS256' },
    BY_TEST,
  );
  await grantRole(postern, person, [`${audience}#read`, `${old}#use`]);
  application = await underProfile();
  holder = await createHolder();
  agent = createAgent(postern.url);
  await getCode(agent, await createApplication(postern), person);
});
afterAll(() => postern.close());

async function underProfile(alg = 'ES256'): Promise<SigningApplication> {
  const permissions = [`${audience}#read`, `${old}#use`];
  const made = await createSigningApplication(postern, { use: 'authentication', alg, permissions });
  await setProtocol(postern, made.clientId, PROFILE);
  return made;
}

/** A code of a request that was in order. */
async function codeFor(by: SigningApplication, extra: Record<string, string> = {}) {
  const { path, verifier } = await pushed(postern.url, by, extra);
  return { code: codeOf(await agent.get(path)), verifier };
}

async function tokenForm(by: SigningApplication, got: { code: string; verifier: string }) {
  return {
    grant_type: 'authorization_code',
    code: got.code,
    redirect_uri: by.redirectUri,
    code_verifier: got.verifier,
    ...assertionForm(await assertion(by.signer)),
  };
}

/** A token request with a proof, and again with the nonce that is asked for: each time with an assertion of its own. */
async function askToken(form: () => Promise<Record<string, string>>, by: Holder = holder): Promise<TokenAnswer> {
  const url = `${postern.url}/oauth2/token`;
  const first = await postForm(url, await form(), { dpop: await proof(by, { url }) });
  const nonce = first.headers.get('dpop-nonce') ?? undefined;
  if (first.body.error !== 'use_dpop_nonce') return first;
  return await postForm(url, await form(), { dpop: await proof(by, { url, nonce }) });
}

describe('end to end', () => {
  test('S12 S22 S24 openid-client: pushed, private_key_jwt, DPoP, userinfo, refresh', async () => {
    const key = { key: application.privateKey, kid: application.kid };
    const config = await client.discovery(
      new URL(postern.url),
      application.clientId,
      undefined,
      client.PrivateKeyJwt(key),
      { execute: [client.allowInsecureRequests] },
    );
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const expectedNonce = client.randomNonce();
    const parameters = {
      redirect_uri: application.redirectUri,
      scope: 'openid email offline_access',
      prompt: 'consent',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
    };
    const url = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP });
    expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
    const browser = createAgent(postern.url);
    const page = await signInAndAllow(browser, await browser.get(url.href), person);
    expect(page.hops.map(({ status }) => status)).toEqual(page.hops.map(() => 303));
    const checks = { pkceCodeVerifier, expectedState, expectedNonce };
    const tokens = await client.authorizationCodeGrant(config, page.leaves as URL, checks, undefined, { DPoP });
    expect(tokens.token_type).toBe('dpop');
    const sub = tokens.claims()?.sub ?? '';
    expect(sub).toBe(person.id);
    expect(await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).toMatchObject({ sub });
    await expect(client.fetchUserInfo(config, tokens.access_token, sub)).rejects.toThrow();

    // The refresh token stays: one that got lost on the way back can be used again.
    const refreshToken = String(tokens.refresh_token);
    for (let turn = 0; turn < 2; turn += 1) {
      const next = await client.refreshTokenGrant(config, refreshToken, undefined, { DPoP });
      expect([undefined, refreshToken]).toContain(next.refresh_token);
      expect(next.token_type).toBe('dpop');
    }
    await expect(client.refreshTokenGrant(config, refreshToken)).rejects.toThrow();
  });

  test('a token for an API is bound to the key, and signed with what the profile allows', async () => {
    const got = await codeFor(application, { scope: 'openid read', resource: audience });
    const { body } = await askToken(() => tokenForm(application, got));
    expect(decodeJwt(String(body.access_token)).cnf).toEqual({ jkt: holder.thumbprint });
    for (const token of [body.access_token, body.id_token]) {
      expect(decodeProtectedHeader(String(token)).alg).toMatch(/^(ES256|PS256|EdDSA|Ed25519)$/);
    }
  });

  test('a service account under the profile gets bound tokens by assertion, and nothing otherwise', async () => {
    const service = await createService(postern, [`${audience}#read`]);
    const { privateKey, jwk } = await pairOf('ES256');
    const switches = { dpopBound: true, fapi: true };
    const { serviceAccounts } = postern.parts;
    expect(await asError(serviceAccounts.setProtocol(service.id, switches, BY_TEST))).toMatchObject({ status: 422 });
    await useAssertions(postern, service.clientId, jwk);
    await serviceAccounts.setProtocol(service.id, switches, BY_TEST);
    const signer = { id: service.id, clientId: service.clientId, privateKey, jwk, issuer: postern.url };
    const form = async () => ({ grant_type: 'client_credentials', ...assertionForm(await assertion(signer)) });
    const url = `${postern.url}/oauth2/token`;
    expect((await postForm(url, await form())).status).toBe(400);
    const answer = await askToken(form);
    expect(answer.body.token_type).toBe('DPoP');
    expect(await asError(serviceAccounts.useSecret(service.id, BY_TEST))).toMatchObject({
      code: 'clients.fapi_secret',
    });
  });
});

describe('everything weaker is refused', () => {
  test('S24 a request that was not pushed', async () => {
    const page = await agent.get(authorizePath(codeRequest(application).params));
    expect(page.leaves?.searchParams.get('error')).toBe('invalid_request');
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['no code_challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['a plain code_challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['response_type code id_token', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['no redirect_uri', { redirect_uri: undefined }, 'invalid_request'],
    ['an address that is not https', { redirect_uri: 'http://localhost/callback' }, 'invalid_request'],
  ])('a pushed request with %s', async (_name, change, error) => {
    const all = Object.entries({ ...codeRequest(application).params, ...change });
    const given = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { status, body } = await push(postern.url, application, given);
    expect({ status, error: body.error }).toEqual({ status: 400, error });
  });

  test.each<[string, Record<string, unknown>, object]>([
    ['the token endpoint as its audience', { aud: 'token' }, {}],
    ['a list as its audience', { aud: 'list' }, {}],
    ['another type', {}, { typ: 'at+jwt' }],
  ])('S26 S28 an assertion with %s', async (_name, claims, header) => {
    const issuer = postern.url;
    const aud = { token: `${issuer}/oauth2/token`, list: [issuer, `${issuer}/oauth2/token`] }[String(claims.aud)];
    const proof = await assertion(application.signer, aud === undefined ? {} : { aud }, header);
    const answer = await postForm(`${issuer}/oauth2/par`, {
      ...codeRequest(application).params,
      ...assertionForm(proof),
    });
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 401, error: 'invalid_client' });
  });

  test('S26 S27 no authentication, and a secret', async () => {
    const { params } = codeRequest(application);
    for (const extra of [{}, { client_secret: 'x' }, { client_secret: application.clientId }]) {
      const answer = await postForm(`${postern.url}/oauth2/par`, { ...params, ...extra });
      expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 401, error: 'invalid_client' });
    }
  });

  test('RS256, in an assertion and in a request object; the same key with PS256 is good', async () => {
    const by = await underProfile('PS256');
    const { params } = codeRequest(by);
    const send = async (alg: string, object: string) =>
      postForm(`${postern.url}/oauth2/par`, {
        request: object,
        ...assertionForm(await assertion(by.signer, {}, { alg })),
      });
    const signed = (alg: string, claims = {}) => requestObject(by, params, { header: { alg }, claims });
    // The same modulus under another algorithm: what a client that is not careful would do.
    const jwk = await crypto.subtle.exportKey('jwk', by.privateKey);
    const { alg: _alg, key_ops: _operations, ...plain } = jwk;
    const rs = (await crypto.subtle.importKey(
      'jwk',
      { ...plain },
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      true,
      ['sign'],
    )) as never;
    const weak = { ...by, privateKey: rs, signer: { ...by.signer, privateKey: rs } };
    const weakObject = await requestObject(weak, params, { header: { alg: 'RS256' } });
    const weakProof = assertionForm(await assertion(weak.signer, {}, { alg: 'RS256' }));
    const refused = await postForm(`${postern.url}/oauth2/par`, { ...params, ...weakProof });
    expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client']);
    const object = await send('PS256', weakObject);
    expect([object.status, object.body.error]).toEqual([400, 'invalid_request_object']);
    const undated = await send('PS256', await signed('PS256', { nbf: undefined }));
    expect([undated.status, undated.body.error]).toEqual([400, 'invalid_request_object']);
    expect((await send('PS256', await signed('PS256'))).status).toBe(201);
  });

  test('S11 a token request without a proof, and one with the proof of another key', async () => {
    const without = await codeFor(application);
    const answer = await postForm(`${postern.url}/oauth2/token`, await tokenForm(application, without));
    expect(answer.status).toBe(400);
    expect(answer.body).not.toHaveProperty('access_token');
    const bound = await codeFor(application, { dpop_jkt: holder.thumbprint });
    const refused = await askToken(() => tokenForm(application, bound), await createHolder());
    expect({ status: refused.status, error: refused.body.error }).toEqual({ status: 400, error: 'invalid_grant' });
    const good = await codeFor(application, { dpop_jkt: holder.thumbprint });
    expect((await askToken(() => tokenForm(application, good))).status).toBe(200);
  });

  test('S8 a code after 60 seconds', async () => {
    const got = await codeFor(application);
    moveTime(61);
    const { status, body } = await askToken(() => tokenForm(application, got));
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_grant' });
  });

  test('S34 an API whose tokens are signed with RS256', async () => {
    const { status, body } = await push(
      postern.url,
      application,
      codeRequest(application, { scope: 'openid use', resource: old }).params,
    );
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_target' });
  });

  test('a client whose row says the profile and a secret at once is no client', async () => {
    const by = await underProfile();
    await postern.db.query('test-weaken', "UPDATE client SET auth_method = 'none' WHERE client_id = $1", [by.clientId]);
    await postern.db.query('test-notify', "SELECT pg_notify('client_changed', $1)", [by.clientId]);
    for (let tries = 0; tries < 50; tries += 1) {
      const { body } = await postForm(`${postern.url}/oauth2/par`, codeRequest(by).params);
      if (body.error === 'invalid_client') return;
      expect(body).not.toHaveProperty('request_uri');
    }
    throw new Error('the weakened client went on');
  });
});

describe('an admin can not put a client on the profile that does not hold it', () => {
  test.each<[string, () => Promise<{ clientId: string }>, Record<string, boolean>, string[]]>([
    ['a single-page application', () => createApplication(postern, { type: 'spa' }), PROFILE, ['fapi']],
    ['a native one', () => createApplication(postern, { type: 'native' }), PROFILE, ['fapi']],
    ['one with a secret', () => createApplication(postern), PROFILE, ['fapi']],
    ['one that signs requests only', () => createSigningApplication(postern), PROFILE, ['fapi']],
    [
      'one that may send what was not pushed',
      () => createSigningApplication(postern, { use: 'authentication' }),
      { fapi: true, dpopBound: true },
      ['requirePushedRequests'],
    ],
    [
      'one with bearer tokens',
      () => createSigningApplication(postern, { use: 'authentication' }),
      { fapi: true, requirePushedRequests: true },
      ['dpopBound'],
    ],
    [
      'one on http',
      () => createSigningApplication(postern, { use: 'authentication', redirectUris: ['http://localhost:8080/cb'] }),
      PROFILE,
      ['fapi'],
    ],
  ])('%s', async (_name, make, change, fields) => {
    const { clientId } = await make();
    const refused = await asError(setProtocol(postern, clientId, change));
    expect({ code: refused.code, fields: Object.keys(refused.fields ?? {}) }).toEqual({
      code: 'invalid_input',
      fields,
    });
    expect((await postern.parts.applications.protocolOf(clientId)).settings).toEqual({});
  });

  test('nor weaken one that stands under it', async () => {
    const by = await underProfile();
    const { applications } = postern.parts;
    for (const change of [{ dpopBound: false }, { requirePushedRequests: false }]) {
      expect(await asError(setProtocol(postern, by.clientId, change))).toMatchObject({ code: 'invalid_input' });
    }
    expect(await asError(applications.useSecret(by.clientId, BY_TEST))).toMatchObject({ code: 'clients.fapi_secret' });
    expect(await asError(applications.removeKeys(by.clientId, BY_TEST))).toMatchObject({ status: 409 });
    const { name, scopes } = (await applications.byClientId(by.clientId)) ?? { name: '', scopes: [] };
    const input = { name, scopes, redirectUris: ['http://localhost/cb'] };
    const refused = await asError(applications.update(by.clientId, input, BY_TEST));
    expect(Object.keys(refused.fields ?? {})).toEqual(['redirectUris']);
    await setProtocol(postern, by.clientId, { fapi: false });
    expect((await applications.useSecret(by.clientId, BY_TEST)).secret).toMatch(/./);
  });
});
