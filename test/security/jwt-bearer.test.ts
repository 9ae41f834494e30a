import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import type { TrustInput } from '../../src/features/workload-trusts/schema.ts';
import { createSigner } from '../support/assertions.ts';
import { clientCredentials, postForm, type TokenAnswer } from '../support/oauth.ts';
import { asError, BY_TEST, createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { everythingTold } from '../support/told.ts';
import { until } from '../support/until.ts';
import { bear, githubToken, JWT_BEARER, now, startIssuer, type WorkloadIssuer } from '../support/workload-issuer.ts';

let postern: Postern;
let issuer: WorkloadIssuer;
let other: WorkloadIssuer;
let audience: string;
let service: Service;
let endpoint: string;
let trustId: string;

beforeAll(async () => {
  [issuer, other] = await Promise.all([startIssuer('ES256'), startIssuer('ES256')]);
  postern = await startPostern({ env: { POSTERN_OUTGOING_ALLOW: `${issuer.host},${other.host}` } });
  endpoint = `${postern.url}/oauth2/token`;
  audience = await createApi(postern, ['read', 'write', 'delete']);
  service = await createService(postern, [`${audience}#read`, `${audience}#write`]);
  trustId = await trust(service, 'worker');
});
afterAll(async () => {
  await postern.close();
  await Promise.all([issuer.close(), other.close()]);
});

let names = 0;

async function trust(of: { id: string }, subject: string, extra: Partial<TrustInput> = {}): Promise<string> {
  names += 1;
  const input = { preset: 'custom', name: `entry ${names}`, issuer: issuer.url, subject, ...extra } as const;
  const { id } = await postern.parts.workloadTrusts.create(of.id, input, BY_TEST);
  await everythingTold(postern);
  return id;
}

function claimsOf(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const at = now();
  const claims = { iss: issuer.url, sub: 'worker', aud: postern.url, jti: crypto.randomUUID(), iat: at, exp: at + 300 };
  return Object.fromEntries(Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== undefined));
}

const sign = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  issuer.sign(claimsOf(changes), header);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function expectRefused(answer: TokenAnswer, error = 'invalid_grant'): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error });
  expect(answer.body.error_description).toEqual(expect.any(String));
  expect(answer.body).not.toHaveProperty('access_token');
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

async function lastRefusal(): Promise<Record<string, unknown>> {
  const [event] = await postern.db.query<Record<string, unknown>>(
    'test-last-refusal',
    `SELECT actor_type, reason, client_id, data FROM audit_event WHERE action = 'token.refuse' ORDER BY id DESC LIMIT 1`,
    [],
  );
  return event ?? {};
}

test('a good token is taken', async () => {
  expect((await bear(postern.url, await sign())).status).toBe(200);
});

describe('S40 headers and signatures', () => {
  test.each<[string, () => string | Promise<string>]>([
    ['none', () => `${encode({ alg: 'none' })}.${encode(claimsOf())}.`],
    ['none with a signature', () => `${encode({ alg: 'none' })}.${encode(claimsOf())}.AAAA`],
    [
      'HS256 with the public key as the secret',
      () => {
        const [key] = issuer.publicKeys();
        const signed = `${encode({ alg: 'HS256', kid: (key as { kid: string }).kid })}.${encode(claimsOf())}`;
        return `${signed}.${createHmac('sha256', JSON.stringify(key)).update(signed).digest('base64url')}`;
      },
    ],
    ['another issuer’s key', () => other.sign(claimsOf())],
    ['a key id that nobody has', () => sign({}, { kid: 'nobody' })],
    ['a key id that is no text', () => sign({}, { kid: 7 })],
    ['a type of its own: an access token', () => sign({}, { typ: 'at+jwt' })],
    ['a type of its own, in full', () => sign({}, { typ: 'application/at+jwt' })],
    ['a logout token', () => sign({}, { typ: 'logout+jwt' })],
    ['a DPoP proof', () => sign({}, { typ: 'dpop+jwt' })],
    ['a type that is no text', () => sign({}, { typ: 1 })],
    ['jku', () => sign({}, { jku: `${other.url}/keys` })],
    ['x5u', () => sign({}, { x5u: `${other.url}/keys` })],
    ['x5c', () => sign({}, { x5c: ['MIIB'] })],
    [
      'an unknown crit',
      () => sign({}, { crit: ['exp'], exp: 1 }).catch(() => `${encode({ alg: 'ES256', crit: ['x'] })}.e30.AAAA`),
    ],
    ['two parts', async () => (await sign()).split('.').slice(0, 2).join('.')],
    ['four parts', async () => `${await sign()}.AAAA`],
    ['a flipped signature', async () => `${(await sign()).slice(0, -8)}AAAAAAAA`],
    [
      'changed claims',
      async () => {
        const [head, , tail] = (await sign({ sub: 'somebody' })).split('.');
        return `${head}.${encode(claimsOf())}.${tail}`;
      },
    ],
    ['claims that are a list', async () => `${encode({ alg: 'ES256' })}.${encode([1])}.AAAA`],
    ['claims that are not JSON', async () => `${encode({ alg: 'ES256' })}.AAAA.AAAA`],
    ['words', () => 'not-a-token'],
    ['NUL', () => 'a\0.b\0.c\0'],
    ['a long one', () => `${'a'.repeat(20_000)}.b.c`],
  ])('S40 %s', async (_name, make) => {
    expectRefused(await bear(postern.url, await make()));
  });

  test('S40 a key that the token brings along', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const token = await new SignJWT(claimsOf()).setProtectedHeader({ alg: 'ES256', jwk }).sign(privateKey);
    expectRefused(await bear(postern.url, token));
  });

  test('S40 a key of the issuer that is too weak, or made for another algorithm, verifies nothing', async () => {
    const rsa = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', use: 'sig' };
    const account = await createService(postern, [`${audience}#read`]);
    const secret = await exportJWK(rsa.privateKey);
    const token = async (sub: string, alg: string) =>
      new SignJWT(claimsOf({ sub })).setProtectedHeader({ alg, kid: 'rsa' }).sign(await importJWK(secret, alg));
    const given = (alg?: string) => ({ keys: 'jwks', jwks: { keys: [{ ...jwk, ...(alg ? { alg } : {}) }] } });
    await trust(account, 'only-ps', given('PS256'));
    expectRefused(await bear(postern.url, await token('only-ps', 'RS256')));
    await trust(account, 'any-rsa', given());
    expect((await bear(postern.url, await token('any-rsa', 'RS256'))).status).toBe(200);
    expectRefused(await bear(postern.url, await token('any-rsa', 'RS512')));
  });

  test.each(['ES384', 'EdDSA', 'RS256', 'PS256'])('%s is taken', async (alg) => {
    const own = await startIssuer(alg);
    const account = await createService(postern, [`${audience}#read`]);
    await trust(account, 'worker', { issuer: own.url, keys: 'jwks', jwks: { keys: own.publicKeys() } });
    expect((await bear(postern.url, await own.sign(claimsOf({ iss: own.url })))).status).toBe(200);
    await own.close();
  });

  test('a token without a key id is taken where only one key can have made it', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const keys = issuer.publicKeys();
    await trust(account, 'no-kid', { keys: 'jwks', jwks: { keys } });
    const token = () => sign({ sub: 'no-kid' }, { kid: undefined });
    expect((await bear(postern.url, await token())).status).toBe(200);
    await trust(account, 'two-keys', { keys: 'jwks', jwks: { keys: [...keys, ...other.publicKeys()] } });
    expectRefused(await bear(postern.url, await sign({ sub: 'two-keys' }, { kid: undefined })));
  });
});

describe('S28 claims', () => {
  test.each<[string, () => Record<string, unknown>]>([
    ['an issuer that nobody trusts', () => ({ iss: 'https://nobody.example.com' })],
    ['an issuer that is only alike', () => ({ iss: `${issuer.url}/` })],
    ['an issuer that is no URL', () => ({ iss: 'worker' })],
    ['an issuer with NUL', () => ({ iss: 'https://x\0' })],
    ['no issuer', () => ({ iss: undefined })],
    ['Postern as the issuer', () => ({ iss: postern.url })],
    ['another audience', () => ({ aud: 'https://other.example.com' })],
    ['no audience', () => ({ aud: undefined })],
    ['an audience that is only alike', () => ({ aud: `${postern.url}/` })],
    ['two audiences', () => ({ aud: [postern.url, 'https://other.example.com'] })],
    ['an empty list of audiences', () => ({ aud: [] })],
    ['an object as the audience', () => ({ aud: { 0: postern.url } })],
    ['another subject', () => ({ sub: 'somebody' })],
    ['a subject in other letters', () => ({ sub: 'Worker' })],
    ['a subject with a space', () => ({ sub: 'worker ' })],
    ['a list as the subject', () => ({ sub: ['worker'] })],
    ['no subject', () => ({ sub: undefined })],
    ['no exp', () => ({ exp: undefined })],
    ['exp after all dates', () => ({ exp: 1e13 })],
    ['exp in milliseconds beyond what a date can be', () => ({ exp: 1e300 })],
    ['exp as text', () => ({ exp: String(now() + 60) })],
    ['exp that has passed', () => ({ exp: now() - 11 })],
    ['no iat', () => ({ iat: undefined })],
    ['iat in the future', () => ({ iat: now() + 30 })],
    ['nbf in the future', () => ({ nbf: now() + 30 })],
    ['nbf as text', () => ({ nbf: 'now' })],
    ['an age beyond the limit', () => ({ iat: now() - 615, exp: now() + 3_600 })],
    ['an empty jti', () => ({ jti: '' })],
    ['a jti that is a number', () => ({ jti: 7 })],
    ['an endless jti', () => ({ jti: 'x'.repeat(300) })],
  ])('S28 %s', async (_name, changes) => {
    expectRefused(await bear(postern.url, await sign(changes())));
  });

  test.each<[string, () => Record<string, unknown>]>([
    ['an audience in a list of one', () => ({ aud: [postern.url] })],
    ['a clock that is a little behind', () => ({ exp: now() - 5 })],
    ['a clock that is a little ahead', () => ({ iat: now() + 5, nbf: now() + 5 })],
    ['no jti: the token itself counts once', () => ({ jti: undefined })],
  ])('%s is taken', async (_name, changes) => {
    const token = await sign(changes());
    expect((await bear(postern.url, token)).status).toBe(200);
    expectRefused(await bear(postern.url, token));
  });

  test('S28 another writing of the same signature is the same token', async () => {
    const token = await sign({ jti: undefined, run: 'twin' });
    const [head = '', body = '', signature = ''] = token.split('.');
    expect((await bear(postern.url, token)).status).toBe(200);
    const bytes = Buffer.from(signature, 'base64url');
    const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
    expectRefused(await bear(postern.url, `${head}.${body}.${twin.toString('base64url')}`));
    expect((await lastRefusal()).data).toMatchObject({ detail: 'the assertion was used before' });
  });

  test('rules: whole numbers by their digits, claims inside others by a pointer, nothing else by chance', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    await trust(account, 'ruled', { claims: 'run=7\n/a/b~1c=x\na.b=y' });
    const good = { sub: 'ruled', run: 7, a: { 'b/c': 'x' }, 'a.b': 'y' };
    expect((await bear(postern.url, await sign(good))).status).toBe(200);
    expect((await bear(postern.url, await sign({ ...good, run: '7' }))).status).toBe(200);
    for (const wrong of [
      { run: 7.5 },
      { run: '07' },
      { run: [7] },
      { run: true },
      { run: null },
      { a: ['x'] },
      { a: { b: { c: 'x' } } },
      { 'a.b': undefined, a: { 'b/c': 'x', b: 'y' } },
      { a: { 'b/c': { toString: 'x' } } },
    ]) {
      expectRefused(await bear(postern.url, await sign({ ...good, ...wrong })));
    }
    await trust(account, 'large', { claims: 'run=9007199254740993' });
    expectRefused(await bear(postern.url, await sign({ sub: 'large', run: Number('9007199254740993') })));
    await trust(account, 'inherited', { claims: 'constructor=x\n/__proto__/x=x' });
    expectRefused(await bear(postern.url, await sign({ sub: 'inherited' })));
  });

  test('S39 a token of Postern itself is none, and its issuer can not be trusted', async () => {
    const { body } = await clientCredentials(postern.url, service);
    expectRefused(await bear(postern.url, String(body.access_token)));
    for (const own of [postern.url, `${postern.url}/`, postern.url.toUpperCase().replace('HTTP', 'http')]) {
      const error = await asError(trust(service, 'x', { issuer: own }));
      expect(error.fields).toHaveProperty('issuer');
    }
  });
});

describe('the request', () => {
  const send = (form: [string, string][], headers: Record<string, string> = {}) =>
    postForm(endpoint, [['grant_type', JWT_BEARER], ...form], headers);

  test('S13 a doubled parameter is refused', async () => {
    const token = await sign();
    for (const name of ['assertion', 'scope', 'client_id']) {
      const one: [string, string] = [name, name === 'assertion' ? token : 'read'];
      expectRefused(await send([['assertion', token], one, one]), 'invalid_request');
    }
    const twice: [string, string][] = [
      ['grant_type', JWT_BEARER],
      ['assertion', token],
    ];
    expect((await send(twice)).status).toBe(400);
    const resources: [string, string][] = [
      ['resource', audience],
      ['resource', audience],
    ];
    expectRefused(await send([['assertion', token], ...resources]), 'invalid_target');
    expect((await bear(postern.url, token)).status).toBe(200);
  });

  test('S92 missing, empty and oversized parameters', async () => {
    expectRefused(await send([]), 'invalid_request');
    expectRefused(await send([['assertion', '']]), 'invalid_request');
    const large = await send([['assertion', 'x'.repeat(1 << 20)]]);
    expect(large.status).toBe(400);
    expect(large.body.error).toBe('invalid_request');
    for (const scope of ['x'.repeat(1_100), 'r\u00e9ad', 'read  write', 'read\0']) {
      expectRefused(await bear(postern.url, await sign(), { scope }), 'invalid_scope');
    }
    expect(
      (await bear(postern.url, await sign(), { scope: '', resource: '', client_id: '', unknown: 'x' })).status,
    ).toBe(200);
  });

  test('S27 S36 client authentication, a key to bind to, and parameters in the address have no place in it', async () => {
    const token = await sign();
    const { clientId, secret, basic } = service;
    expectRefused(await bear(postern.url, token, {}, { authorization: basic }), 'invalid_request');
    expectRefused(await bear(postern.url, token, {}, { dpop: token }), 'invalid_request');
    expectRefused(await bear(postern.url, token, { client_id: clientId, client_secret: secret }), 'invalid_request');
    const assertion = { client_assertion: token, client_assertion_type: 'x' };
    expectRefused(await bear(postern.url, token, assertion), 'invalid_request');
    expectRefused(await bear(postern.url, token, { authorization_details: '[]' }), 'invalid_request');
    const form = { grant_type: JWT_BEARER, assertion: token };
    expectRefused(await postForm(`${endpoint}?scope=read`, form), 'invalid_request');
    const query = await fetch(`${endpoint}?${new URLSearchParams(form)}`);
    expect(query.status).toBe(405);
    const json = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(form),
    });
    expect(json.status).toBe(400);
    expect((await bear(postern.url, token, { client_id: clientId })).status).toBe(200);
  });

  test('a client_id has to be that of the account', async () => {
    const stranger = await createService(postern);
    for (const clientId of [stranger.clientId, 'nobody', 'x'.repeat(1_000)]) {
      expectRefused(await bear(postern.url, await sign(), { client_id: clientId }));
    }
  });

  test('S18 S34 no scope or resource beyond what the account holds; a refusal does not use the token up', async () => {
    const token = await sign();
    const ask = (extra: Record<string, string>) => bear(postern.url, token, extra);
    const foreign = await createApi(postern, ['read']);
    expectRefused(await ask({ scope: 'delete' }), 'invalid_scope');
    expectRefused(await ask({ scope: 'delete', resource: audience }), 'invalid_scope');
    for (const resource of [foreign, 'nonsense', `${audience}#x`, `${audience}/`]) {
      expectRefused(await ask({ resource, scope: 'read' }), 'invalid_target');
    }
    const { status, body } = await ask({ scope: 'read delete openid offline_access', resource: audience });
    expect({ status, scope: body.scope }).toEqual({ status: 200, scope: 'read' });

    const both = await createService(postern, [`${audience}#read`, `${foreign}#read`]);
    await trust(both, 'both');
    expectRefused(await bear(postern.url, await sign({ sub: 'both' })), 'invalid_target');
    const none = await createService(postern);
    await trust(none, 'none');
    expectRefused(await bear(postern.url, await sign({ sub: 'none' })), 'invalid_scope');
  });

  test.each(['dpopBound', 'certificateBound', 'fapi'] as const)(
    'S45 an account whose tokens have to be bound gets none here (%s)',
    async (setting) => {
      const bound = await createSigner(postern, `${audience}#read`);
      await trust(bound, setting);
      const settings = { [setting]: true };
      await postern.db.prisma.client.update({ where: { clientId: bound.clientId }, data: { settings } });
      expectRefused(await bear(postern.url, await sign({ sub: setting })), 'invalid_request');
    },
  );

  test('S89 S90 S91 every refusal is in the audit log with its reason, and nowhere the token', async () => {
    const token = await sign({ sub: 'refused' });
    expectRefused(await bear(postern.url, token, { client_id: service.clientId }));
    expect(await lastRefusal()).toMatchObject({
      actor_type: 'anonymous',
      reason: 'invalid_grant',
      client_id: service.clientId,
      data: {
        grant_type: JWT_BEARER,
        issuer: issuer.url,
        subject: 'refused',
        detail: expect.stringContaining('claim sub differs'),
      },
    });
    const good = await sign();
    await bear(postern.url, good);
    const rows = await postern.db.query<{ text: string }>(
      'test-all-text',
      'SELECT (SELECT json_agg(e)::text FROM audit_event e) || (SELECT json_agg(t)::text FROM token t) AS text',
      [],
    );
    const written = JSON.stringify(rows) + postern.lines.join('\n');
    for (const secret of [token, good]) {
      for (const part of secret.split('.').slice(1)) expect(written).not.toContain(part);
    }
  });
});

describe('which account', () => {
  test('a token that stands for two accounts stands for none, until one of them is out', async () => {
    const [first, second] = [
      await createService(postern, [`${audience}#read`]),
      await createService(postern, [`${audience}#read`]),
    ];
    await trust(first, 'twice');
    await trust(first, 'twice', { claims: 'a=1' });
    expect((await bear(postern.url, await sign({ sub: 'twice', a: '1' }))).status).toBe(200);
    const id = await trust(second, 'twice', { claims: 'a=1' });
    await until(async () => (await bear(postern.url, await sign({ sub: 'twice', a: '1' }))).status === 400);
    expect((await lastRefusal()).data).toMatchObject({ detail: expect.stringContaining('ambiguous') });
    expect((await bear(postern.url, await sign({ sub: 'twice', a: '2' }))).status).toBe(200);
    await postern.parts.workloadTrusts.disable(id, BY_TEST);
    await until(async () => (await bear(postern.url, await sign({ sub: 'twice', a: '1' }))).status === 200);
    await postern.parts.workloadTrusts.enable(id, BY_TEST);
    await postern.parts.serviceAccounts.disable(second.id, BY_TEST);
    await until(async () => (await bear(postern.url, await sign({ sub: 'twice', a: '1' }))).status === 200);
  });

  test('S93 where the keys of one possible account can not be had, nobody is chosen', async () => {
    const [first, second] = [
      await createService(postern, [`${audience}#read`]),
      await createService(postern, [`${audience}#read`]),
    ];
    await trust(first, 'unknown');
    await trust(second, 'unknown', { keys: 'jwks_uri', jwksUri: `${issuer.url}/nothing-here` });
    const { status, body } = await bear(postern.url, await sign({ sub: 'unknown' }));
    expect({ status, error: body.error }).toEqual({ status: 503, error: 'temporarily_unavailable' });
  });

  test('an application is no service account, and GitHub names no ids', async () => {
    for (const [input, field] of [
      [{ preset: 'custom', issuer: 'https://token.actions.githubusercontent.com' }, 'issuer'],
      [{ preset: 'custom', issuer: 'http://issuer.example.com' }, 'issuer'],
      [{ preset: 'custom', issuer: 'https://user@issuer.example.com' }, 'issuer'],
      [{ preset: 'custom', subject: '' }, 'subject'],
      [{ preset: 'custom', claims: 'aud=x' }, 'claims'],
      [{ preset: 'custom', claims: 'sub=x' }, 'claims'],
      [{ preset: 'custom', maxAge: '86401' }, 'maxAge'],
      [{ preset: 'custom', keys: 'jwks', jwks: '{"keys":[]}' }, 'jwks'],
      [{ preset: 'custom', keys: 'jwks_uri', jwksUri: 'http://keys.example.com' }, 'jwksUri'],
      [{ preset: 'github_actions', repositoryId: 'octo-org/octo-repo', repositoryOwnerId: '1' }, 'repositoryId'],
      [{ preset: 'github_actions', repositoryId: '1' }, 'repositoryOwnerId'],
      [{ preset: 'kubernetes', namespace: 'a:b', account: 'x' }, 'namespace'],
      [{ preset: 'kubernetes', namespace: 'a' }, 'account'],
      [{ preset: 'spiffe', spiffeId: 'spiffe://example.org' }, 'spiffeId'],
      [{ preset: 'spiffe', spiffeId: 'spiffe://example.org/a/../b' }, 'spiffeId'],
    ] as [Partial<TrustInput>, string][]) {
      const error = await asError(trust(service, 'x', input));
      expect({ input, fields: Object.keys(error.fields ?? {}) }).toEqual({ input, fields: [field] });
    }
  });
});

describe('over two processes', () => {
  let processes: PosternProcess[] = [];
  beforeAll(async () => {
    const env = { POSTERN_OUTGOING_ALLOW: `${issuer.host},${other.host}` };
    processes = await startProcesses(2, postern.databaseUrl, env);
  });
  afterAll(async () => {
    await Promise.all(processes.map((one) => one.stop()));
  });

  const everywhere = (assertion: string) =>
    Promise.all(Array.from({ length: 50 }, (_, index) => bear(processes[index % 2]?.url ?? '', assertion)));
  const forThem = (changes: Record<string, unknown> = {}) => sign({ aud: processes[0]?.url, ...changes });

  test('S28 of 50 parallel uses of one token one succeeds', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    await trust(account, 'raced', { audience: processes[0]?.url });
    for (const jti of [crypto.randomUUID(), undefined, crypto.randomUUID()]) {
      const answers = await everywhere(await forThem({ sub: 'raced', jti }));
      const lost = answers.filter(({ status }) => status !== 200);
      expect(answers.length - lost.length).toBe(1);
      expect(new Set(lost.map(({ body }) => body.error))).toEqual(new Set(['invalid_grant']));
    }
  });

  test('S33 a disabled entry or account stops within a second on every process', async () => {
    const account = await createService(postern, [`${audience}#read`]);
    const entry = await trust(account, 'stopped', { audience: processes[0]?.url, singleUse: false });
    const token = await forThem({ sub: 'stopped' });
    const statuses = () => Promise.all(processes.map(async ({ url }) => (await bear(url, token)).status));
    const within = async (expected: number) => {
      const began = performance.now();
      await until(async () => (await statuses()).every((status) => status === expected));
      expect(performance.now() - began).toBeLessThan(1_000);
    };
    const { workloadTrusts, serviceAccounts } = postern.parts;
    await within(200);
    await workloadTrusts.disable(entry, BY_TEST);
    await within(400);
    await workloadTrusts.enable(entry, BY_TEST);
    await within(200);
    await serviceAccounts.disable(account.id, BY_TEST);
    await within(400);
    await serviceAccounts.enable(account.id, BY_TEST);
    await within(200);
    await workloadTrusts.remove(entry, BY_TEST);
    await within(400);
  });
});

test('a GitHub token of another repository of the same owner is refused by its id', async () => {
  const account = await createService(postern, [`${audience}#read`]);
  const ids = { repositoryId: '74', repositoryOwnerId: '65', subject: undefined };
  await trust(account, '', { preset: 'github_actions', ...ids });
  expectRefused(await bear(postern.url, await githubToken(issuer, postern.url, { repository_id: '740' })));
  expect((await bear(postern.url, await githubToken(issuer, postern.url))).status).toBe(200);
  expect(trustId).toMatch(/^[0-9a-f-]{36}$/);
});
