import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import {
  assertion,
  assertionForm,
  claimsOf,
  createSigner,
  epoch,
  expectInvalidClient,
  handmade,
  pairOf,
  type Signer,
  sendAssertion,
} from '../support/assertions.ts';
import { postForm } from '../support/oauth.ts';
import { BY_TEST, basic, createApi, createApplication, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

const grant = { grant_type: 'client_credentials' };

let postern: Postern;
let endpoint: string;
let permission: string;
/** For the tests that only look at one request. */
let signer: Signer;

beforeAll(async () => {
  postern = await startPostern();
  endpoint = `${postern.url}/oauth2/token`;
  permission = `${await createApi(postern, ['read'])}#read`;
  signer = await createSigner(postern, permission);
});
afterAll(() => postern.close());

const send = (text: string, extra?: Record<string, string>, headers?: Record<string, string>) =>
  sendAssertion(postern.url, text, extra, headers);

describe('S26 a client that signs gets its token', () => {
  test.each(['ES256', 'ES384', 'RS256', 'PS256', 'Ed25519', 'EdDSA'])('%s', async (alg) => {
    const by = await createSigner(postern, permission, alg);
    const { status, body } = await send(await assertion(by, {}, { alg }));
    expect({ status, scope: body.scope }).toEqual({ status: 200, scope: 'read' });
  });

  test.each(['ES256', 'PS256', 'Ed25519'])('with openid-client, %s', async (alg) => {
    const { clientId, privateKey } = await createSigner(postern, permission, alg);
    const execute = [oidc.allowInsecureRequests];
    const method = oidc.PrivateKeyJwt({ key: privateKey, kid: 'k1' });
    const config = await oidc.discovery(new URL(postern.url), clientId, undefined, method, { execute });
    for (let i = 0; i < 2; i++) {
      const { access_token: token } = await oidc.clientCredentialsGrant(config, { scope: 'read' });
      expect(await oidc.tokenIntrospection(config, token)).toMatchObject({ active: true, client_id: clientId });
      await oidc.tokenRevocation(config, token);
      expect(await oidc.tokenIntrospection(config, token)).toEqual({ active: false });
    }
  });

  test.each(['ES256', 'RS256', 'Ed25519'])('with oauth4webapi, %s', async (alg) => {
    const { clientId, privateKey } = await createSigner(postern, permission, alg);
    const options = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(postern.url);
    const found = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' });
    const server = await oauth.processDiscoveryResponse(issuer, found);
    expect(server.token_endpoint_auth_signing_alg_values_supported).toContain(alg);
    const client = { client_id: clientId };
    const proof = oauth.PrivateKeyJwt(privateKey);
    const response = await oauth.clientCredentialsGrantRequest(server, client, proof, { scope: 'read' }, options);
    const { access_token: token } = await oauth.processClientCredentialsResponse(server, client, response);
    expect(token).toMatch(/^ey/);
  });

  test('with any of its keys, and with none that was replaced', async () => {
    const by = await createSigner(postern, permission);
    const other = await pairOf('ES256');
    const next = { ...by, privateKey: other.privateKey };
    await postern.parts.serviceAccounts.replaceKeys(
      by.id,
      { jwks: { keys: [by.jwk, { ...other.jwk, kid: 'k2' }] } },
      BY_TEST,
    );
    await until(async () => (await send(await assertion(next, {}, { kid: 'k2' }))).status === 200);
    expect((await send(await assertion(by))).status).toBe(200);
    expectInvalidClient(await send(await assertion(by, {}, { kid: 'k2' })));
    expect((await send(await assertion(next, {}, { kid: undefined }))).status).toBe(200);
    await postern.parts.serviceAccounts.replaceKeys(by.id, { jwks: { keys: [{ ...other.jwk, kid: 'k2' }] } }, BY_TEST);
    await until(async () => (await send(await assertion(by))).status === 401);
    expect((await send(await assertion(next, {}, { kid: 'k2' }))).status).toBe(200);
  });

  test('and after a change of method by the new one alone', async () => {
    const by = await createSigner(postern, permission);
    const { secret } = await postern.parts.serviceAccounts.useSecret(by.id, BY_TEST);
    const withSecret = () => postForm(endpoint, grant, { authorization: basic(by.clientId, secret) });
    await until(async () => (await withSecret()).status === 200);
    expectInvalidClient(await send(await assertion(by)));
    await postern.parts.serviceAccounts.useKeys(by.id, { jwks: { keys: [by.jwk] } }, BY_TEST);
    await until(async () => (await send(await assertion(by))).status === 200);
    expectInvalidClient(await withSecret());
  });
});

describe('S28 the claims of an assertion', () => {
  const values = (name: string, ...bad: unknown[]): [string, string, unknown][] =>
    bad.map((value) => [`${name} ${JSON.stringify(value)?.slice(0, 40) ?? 'left out'}`, name, value]);
  const times = (name: string, ...bad: (number | string)[]): [string, string, unknown][] =>
    bad.map((value) => [`${name} ${JSON.stringify(value)} from now`, name, value]);

  test.each([
    ...values('aud', undefined, '', 'https://other.example.com', 7, [], {}, null),
    ...values('iss', undefined, '', 'svc_other', 7, ['x'], null),
    ...values('sub', undefined, '', 'svc_other'),
    ...values('jti', undefined, '', 7, null, {}, 'x'.repeat(257)),
    ...values('exp', undefined, 0, -1, null, 1e300),
    ...values('nbf', 1e300, null),
    ...values('iat', 1e300, null),
  ])('are refused with %s', async (_name, name, value) => {
    expectInvalidClient(await send(handmade(signer, { alg: 'ES256', kid: 'k1' }, claimsOf(signer, { [name]: value }))));
  });

  test.each([...times('exp', -30, 400, 3_600, '60'), ...times('nbf', 60, '0'), ...times('iat', 60, '0')])(
    'are refused with %s',
    async (_name, name, value) => {
      const at = typeof value === 'number' ? epoch() + value : String(epoch() + Number(value));
      expectInvalidClient(await send(handmade(signer, { alg: 'ES256', kid: 'k1' }, claimsOf(signer, { [name]: at }))));
    },
  );

  test('are for the issuer, as one text: no endpoint, no list, no other spelling', async () => {
    const { url } = postern;
    for (const aud of [endpoint, `${url}/`, url.toUpperCase(), [url], [url, endpoint], `${url}/oauth2/introspect`]) {
      expectInvalidClient(await send(await assertion(signer, { aud })));
    }
  });

  test('are of the client itself, whoever it says it is', async () => {
    const other = await createSigner(postern, permission);
    expectInvalidClient(await send(await assertion(signer, { iss: other.clientId })));
    expectInvalidClient(await send(await assertion(signer, { sub: other.clientId })));
    expectInvalidClient(await send(await assertion(signer, { iss: other.clientId, sub: other.clientId })));
    const named = await send(await assertion(signer), { client_id: other.clientId });
    expect(named.status).toBeGreaterThanOrEqual(400);
    expect(named.body).not.toHaveProperty('access_token');
    expect((await send(await assertion(signer), { client_id: signer.clientId })).status).toBe(200);
  });

  test('may last five minutes, and allow for clocks that are ten seconds apart', async () => {
    const at = epoch();
    expect((await send(await assertion(signer, { exp: at + 300 }))).status).toBe(200);
    expect((await send(await assertion(signer, { iat: at + 8, nbf: at + 8, exp: at + 60 }))).status).toBe(200);
    expect((await send(await assertion(signer, { iat: undefined }))).status).toBe(200);
    expectInvalidClient(await send(await assertion(signer, { exp: at + 320 })));
    expectInvalidClient(await send(await assertion(signer, { nbf: at + 20 })));
    expectInvalidClient(await send(await assertion(signer, { iat: at + 20 })));
    expectInvalidClient(await send(await assertion(signer, { exp: at - 20 })));
  });

  test('are used once, also when used again at the end of their time or at another endpoint', async () => {
    const once = await assertion(signer, { exp: epoch() + 290 });
    expect((await send(once)).status).toBe(200);
    expectInvalidClient(await send(once));
    expectInvalidClient(await postForm(`${postern.url}/oauth2/introspect`, { ...assertionForm(once), token: 'x' }));
    expectInvalidClient(await postForm(`${postern.url}/oauth2/revoke`, { ...assertionForm(once), token: 'x' }));
    moveTime(289);
    expectInvalidClient(await send(once));
    // Another client's assertion may have the same jti.
    const other = await createSigner(postern, permission);
    const jti = 'the-same';
    expect((await send(await assertion(signer, { jti }))).status).toBe(200);
    expect((await send(await assertion(other, { jti }))).status).toBe(200);
    expectInvalidClient(await send(await assertion(signer, { jti })));
  });

  test('a refused one does not use up its jti', async () => {
    const jti = crypto.randomUUID();
    expectInvalidClient(await send(await assertion(signer, { jti, aud: endpoint })));
    expect((await send(await assertion(signer, { jti }))).status).toBe(200);
  });
});

describe('S27 one method, the registered one', () => {
  test('an assertion beside a secret, or beside itself, is refused', async () => {
    const authorization = basic(signer.clientId, 'pst_x');
    const answers = [
      await send(await assertion(signer), {}, { authorization }),
      await send(await assertion(signer), { client_secret: 'pst_x' }),
      await postForm(endpoint, [
        ...Object.entries({ ...grant, ...assertionForm(await assertion(signer)) }),
        ['client_assertion', await assertion(signer)],
      ]),
    ];
    for (const { status, body } of answers) {
      expect([400, 401]).toContain(status);
      expect(body).not.toHaveProperty('access_token');
    }
  });

  test('an assertion of a client that has a secret, of a public one, or of none, is refused', async () => {
    const { clientId } = await createService(postern, [permission]);
    const spa = await createApplication(postern, { type: 'spa' });
    for (const claimed of [clientId, spa.clientId, 'svc_unknown', '__proto__']) {
      expectInvalidClient(await send(await assertion({ ...signer, clientId: claimed })));
    }
  });

  test('a secret of a client that signs is refused, also an empty one or its key', async () => {
    for (const secret of ['pst_x', 'sha256:none:', JSON.stringify(signer.jwk)]) {
      expectInvalidClient(await postForm(endpoint, grant, { authorization: basic(signer.clientId, secret) }));
      expectInvalidClient(await postForm(endpoint, { ...grant, client_id: signer.clientId, client_secret: secret }));
    }
    expectInvalidClient(await postForm(endpoint, { ...grant, client_id: signer.clientId }));
  });

  test('another type of assertion, or none, is refused', async () => {
    const saml = 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer';
    for (const client_assertion_type of [saml, '', 'jwt-bearer']) {
      const answer = await send(await assertion(signer), { client_assertion_type });
      expect([400, 401]).toContain(answer.status);
      expect(answer.body).not.toHaveProperty('access_token');
    }
  });
});

test('S89 S91 a refusal is in the audit log with its reason, and no assertion is in any log', async () => {
  const bad = await assertion(signer, { aud: endpoint });
  expectInvalidClient(await send(bad));
  const { prisma } = postern.db;
  const event = await prisma.auditEvent.findFirstOrThrow({
    where: { action: 'token.refuse', clientId: signer.clientId },
    orderBy: { id: 'desc' },
  });
  expect(event).toMatchObject({
    outcome: 'denied',
    reason: 'invalid_client',
    data: { detail: 'aud must be the issuer' },
  });
  const signature = bad.split('.')[2] ?? '';
  expect(JSON.stringify(postern.logged)).not.toContain(signature);
  const [row] = await postern.db.query<{ n: number }>(
    'test-scan-assertions',
    'SELECT count(*)::int AS n FROM audit_event e WHERE e::text LIKE $1',
    [`%${signature}%`],
  );
  expect(row?.n).toBe(0);
});
