import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { assertion, epoch, handmade, pairOf } from '../support/assertions.ts';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeOf, codeRequest, getCode, redeem } from '../support/oauth.ts';
import { asError, BY_TEST, createApplication, createPerson, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import {
  createSigningApplication,
  pathOf,
  push,
  requestObject,
  type SigningApplication,
  setProtocol,
} from '../support/requests.ts';

let postern: Postern;
let person: Person;
let application: SigningApplication;
/** Signed in before the first test. */
let agent: Agent;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  application = await createSigningApplication(postern);
  agent = createAgent(postern.url);
  await getCode(agent, application, person);
});
afterAll(() => postern.close());

const hasCode = (page: Page) => page.leaves?.searchParams.has('code') ?? false;

/** With the object alone, as RFC 9101 section 5 has it; `outside` stands beside it. */
function ask(object: string, outside: Record<string, string> = {}): Promise<Page> {
  return agent.get(authorizePath({ client_id: application.clientId, ...outside, request: object }));
}

type Changes = NonNullable<Parameters<typeof requestObject>[2]>;

/** Refused by value, and where it is pushed. */
async function expectRefused(object: string, error = /^invalid_request_object$/): Promise<void> {
  const page = await ask(object);
  expect(page.status).toBeLessThan(500);
  expect(hasCode(page)).toBe(false);
  expect(page.leaves?.searchParams.get('error') ?? page.html).toMatch(new RegExp(error.source.replace(/[\^$]/g, '')));
  const { status, body } = await push(postern.url, application, { request: object });
  expect([400, 401]).toContain(status);
  expect(body.error).toMatch(error);
  expect(body).not.toHaveProperty('request_uri');
}

describe('S25 request objects', () => {
  test.each(['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA'])('S25 signed with %s are taken', async (alg) => {
    const by = await createSigningApplication(postern, { alg });
    const { params, verifier } = codeRequest(by);
    const object = await requestObject(by, params, { header: { alg } });
    const page = await agent.get(authorizePath({ client_id: by.clientId, request: object }));
    expect(page.leaves?.searchParams.get('state')).toBe(params.state);
    expect((await redeem(postern.url, by, { code: codeOf(page), verifier })).status).toBe(200);
    const { status, body } = await push(postern.url, by, {
      request: await requestObject(by, params, { header: { alg } }),
    });
    expect(status).toBe(201);
    expect(hasCode(await agent.get(pathOf(by, String(body.request_uri))))).toBe(true);
  });

  const now = () => epoch();
  test.each<[string, () => Changes]>([
    ['another issuer', () => ({ claims: { iss: 'somebody' } })],
    ['no issuer', () => ({ claims: { iss: undefined } })],
    ['another audience', () => ({ claims: { aud: 'https://other.example.com' } })],
    ['the endpoint as the audience', () => ({ claims: { aud: `${postern.url}/oauth2/authorize` } })],
    ['no audience', () => ({ claims: { aud: undefined } })],
    ['no exp', () => ({ claims: { exp: undefined } })],
    ['an exp in the past', () => ({ claims: { exp: now() - 60 } })],
    ['an exp that is far away', () => ({ claims: { exp: now() + 3600 } })],
    ['an exp that is text', () => ({ claims: { exp: String(now() + 60) } })],
    ['an nbf in the future', () => ({ claims: { nbf: now() + 60 } })],
    ['an nbf that is text', () => ({ claims: { nbf: 'now' } })],
    ['an iat in the future', () => ({ claims: { iat: now() + 60 } })],
    ['the client as its subject', () => ({ claims: { sub: application.clientId } })],
    ['the client_id of another', () => ({ claims: { client_id: 'app_other' } })],
    ['a request in the request', () => ({ claims: { request: 'x' } })],
    ['a request_uri in the request', () => ({ claims: { request_uri: 'https://app.example.com/x' } })],
    ['the type of another JWT', () => ({ header: { typ: 'at+jwt' } })],
    ['the type of an assertion', () => ({ header: { typ: 'client-authentication+jwt' } })],
    ['a jti that is no text', () => ({ claims: { jti: 7 } })],
  ])('S25 with %s are refused', async (_name, changes) => {
    await expectRefused(await requestObject(application, codeRequest(application).params, changes()));
  });

  test.each<[string, object]>([
    ['none', { alg: 'none' }],
    ['None', { alg: 'None' }],
    ['HS256', { alg: 'HS256' }],
    ['ES384', { alg: 'ES384' }],
    ['RS256 with a key for ES256', { alg: 'RS256' }],
    ['no algorithm', {}],
    ['jwk', { alg: 'ES256', jwk: { kty: 'oct', k: 'eA' } }],
    ['jku', { alg: 'ES256', jku: 'https://attacker.example/keys' }],
    ['x5u', { alg: 'ES256', x5u: 'https://attacker.example/chain' }],
    ['x5c', { alg: 'ES256', x5c: ['eA=='] }],
    ['crit', { alg: 'ES256', crit: ['urn:example:must'], 'urn:example:must': true }],
    ['b64', { alg: 'ES256', b64: false, crit: ['b64'] }],
    ['another kid', { alg: 'ES256', kid: 'k9' }],
  ])('S25 S40 a header with %s is refused', async (_name, header) => {
    const claims = { iss: application.clientId, aud: postern.url, exp: now() + 60, ...codeRequest(application).params };
    await expectRefused(handmade(application.signer, header, claims));
  });

  test('S25 S40 a signature that is cut, changed or of another key is refused', async () => {
    const { params } = codeRequest(application);
    const [head = '', body = '', signature = ''] = (await requestObject(application, params)).split('.');
    const changed = Buffer.from(
      JSON.stringify({ ...params, iss: application.clientId, aud: postern.url, exp: now() + 60 }),
    );
    const other = await pairOf('ES256');
    for (const object of [
      `${head}.${body}.`,
      `${head}.${body}.${signature.slice(0, -4)}`,
      `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      `${head}.${changed.toString('base64url')}.${signature}`,
      await requestObject(application, params, { key: other.privateKey }),
    ]) {
      await expectRefused(object);
    }
    for (const object of ['x', 'a.b.c', `${head}.${body}`, 'é.é.é', '....', '']) {
      const page = await ask(object);
      expect([page.status < 500, hasCode(page)]).toEqual([true, false]);
    }
  });

  test('S25 S39 an assertion of the client is no request, and a request no assertion', async () => {
    const by = await createSigningApplication(postern, { use: 'authentication' });
    const { params } = codeRequest(by);
    const proof = await assertion(by.signer, params);
    const page = await agent.get(authorizePath({ client_id: by.clientId, request: proof }));
    expect(hasCode(page)).toBe(false);
    const object = await requestObject(by, params, { claims: { sub: by.clientId, jti: crypto.randomUUID() } });
    const { status, body } = await push(
      postern.url,
      { ...by, secret: 'x' },
      {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: object,
      },
    );
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).not.toHaveProperty('request_uri');
  });

  test('S25 what stands outside of the object counts for nothing', async () => {
    const { params, verifier } = codeRequest(application, { scope: 'openid email' });
    const page = await ask(await requestObject(application, params), {
      scope: 'openid profile roles offline_access',
      redirect_uri: application.redirectUri,
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      nonce: 'other',
      prompt: 'login',
      login_hint: 'x',
      max_age: '0',
    });
    const { body } = await redeem(postern.url, application, { code: codeOf(page), verifier });
    expect(body.scope).toBe('openid email');
    // And what is missing inside is missing.
    const { redirect_uri, code_challenge, ...less } = params;
    for (const rest of [
      { ...less, redirect_uri },
      { ...less, code_challenge },
    ]) {
      const refused = await ask(await requestObject(application, rest), params);
      expect(hasCode(refused)).toBe(false);
    }
  });

  test('S25 nothing that the object leads elsewhere by is followed', async () => {
    const { params } = codeRequest(application, { redirect_uri: 'https://attacker.example/' });
    const page = await ask(await requestObject(application, params));
    expect(page.leaves).toBeUndefined();
    expect(page.status).toBe(400);
  });

  test('S25 a client without keys has no request object that verifies', async () => {
    const plain = await createApplication(postern);
    const { params } = codeRequest(plain);
    const object = await requestObject({ ...application, clientId: plain.clientId }, params);
    const page = await agent.get(authorizePath({ client_id: plain.clientId, request: object }));
    expect(page.leaves?.searchParams.get('error') ?? page.html).toMatch('invalid_request_object');
  });

  test('S25 one that is held to signing can not leave it out, pushed or not', async () => {
    const strict = await createSigningApplication(postern);
    await setProtocol(postern, strict.clientId, { requireSignedRequests: true });
    const { params } = codeRequest(strict);
    const page = await agent.get(authorizePath(params));
    expect(page.leaves?.searchParams.get('error')).toBe('invalid_request');
    const { status, body } = await push(postern.url, strict, params);
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_request' });
    const signed = await agent.get(
      authorizePath({ client_id: strict.clientId, request: await requestObject(strict, params) }),
    );
    expect(hasCode(signed)).toBe(true);
  });

  test('keys that requests are held to can not be removed, and others take their place at once', async () => {
    const strict = await createSigningApplication(postern);
    const { applications } = postern.parts;
    const { params } = codeRequest(strict);
    const askWith = async (key: SigningApplication['privateKey']) =>
      agent.get(authorizePath({ client_id: strict.clientId, request: await requestObject(strict, params, { key }) }));
    await setProtocol(postern, strict.clientId, { requireSignedRequests: true });
    expect(await asError(applications.removeKeys(strict.clientId, BY_TEST))).toMatchObject({ status: 409 });
    const next = await pairOf('ES256');
    await applications.useKeys(strict.clientId, { jwks: { keys: [next.jwk] }, use: 'requests' }, BY_TEST);
    expect(hasCode(await askWith(strict.privateKey))).toBe(false);
    expect(hasCode(await askWith(next.privateKey))).toBe(true);
  });
});
