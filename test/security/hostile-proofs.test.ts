import { createHmac, KeyObject, randomBytes, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, type JWK } from 'jose';
import { createHolder, freshNonce, type Holder, proof } from '../support/dpop.ts';
import { postForm } from '../support/oauth.ts';
import { createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const grant = { grant_type: 'client_credentials' };
/** Far above what a refusal takes, far below what a long key would. */
const QUICK_MS = 250;

let postern: Postern;
let service: Service;
let holder: Holder;
let privateJwk: JWK;
let nonce: string;

beforeAll(async () => {
  postern = await startPostern();
  service = await createService(postern, [`${await createApi(postern, ['read'])}#read`]);
  holder = await createHolder();
  privateJwk = await exportJWK(holder.privateKey);
  nonce = await freshNonce(postern.url, grant, { authorization: service.basic });
});
afterAll(() => postern.close());

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const random = (bytes: number) => randomBytes(bytes).toString('base64url');
const headerOf = (changes: object = {}) => ({ alg: 'ES256', typ: 'dpop+jwt', jwk: holder.jwk, ...changes });

interface Endpoint {
  url: string;
  method: string;
  send(dpop: string): Promise<{ status: number; error: string | undefined }>;
}

function endpoints(): Record<'token' | 'userinfo', Endpoint> {
  const at = (path: string) => `${postern.url}/oauth2/${path}`;
  return {
    token: {
      url: at('token'),
      method: 'POST',
      async send(dpop) {
        const { status, body } = await postForm(at('token'), grant, { authorization: service.basic, dpop });
        return { status, error: body.error };
      },
    },
    userinfo: {
      url: at('userinfo'),
      method: 'GET',
      async send(dpop) {
        const response = await fetch(at('userinfo'), { headers: { authorization: 'DPoP token', dpop } });
        const { error } = (await response.json()) as { error?: string };
        return { status: response.status, error };
      },
    },
  };
}

function claimsFor({ url, method }: Endpoint, changes: object = {}): object {
  const iat = Math.floor(Date.now() / 1000);
  const ath = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';
  return { jti: crypto.randomUUID(), htm: method, htu: url, iat, nonce, ath, ...changes };
}

/** Signed in truth, whatever stands in it. */
function signed(header: unknown, claims: unknown): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const key = { key: KeyObject.from(holder.privateKey), dsaEncoding: 'ieee-p1363' as const };
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}

const deep = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);

const HEADERS: [string, () => object][] = [
  ['the private key', () => headerOf({ jwk: privateJwk })],
  ['no key', () => headerOf({ jwk: undefined })],
  ['a key that is a list', () => headerOf({ jwk: [holder.jwk] })],
  ['a key that is text', () => headerOf({ jwk: JSON.stringify(holder.jwk) })],
  ['a key without a kind', () => headerOf({ jwk: { ...holder.jwk, kty: undefined } })],
  ['a key of a made-up kind', () => headerOf({ jwk: { ...holder.jwk, kty: '__proto__' } })],
  ['a coordinate that is a number', () => headerOf({ jwk: { ...holder.jwk, x: 1 } })],
  ['a point that is not on the curve', () => headerOf({ jwk: { ...holder.jwk, y: random(32) } })],
  ['a key for encryption', () => headerOf({ jwk: { ...holder.jwk, use: 'enc' } })],
  ['a key for another algorithm', () => headerOf({ jwk: { ...holder.jwk, alg: 'ES384' } })],
  ['an algorithm that is not of the key', () => headerOf({ alg: 'Ed25519' })],
  ['a shared secret', () => headerOf({ alg: 'HS256', jwk: { kty: 'oct', k: random(32) } })],
  ['a modulus of 16384 bits', () => headerOf({ alg: 'PS256', jwk: { kty: 'RSA', e: 'AQAB', n: random(2048) } })],
  ['a modulus of 8192 bits', () => headerOf({ alg: 'PS256', jwk: { kty: 'RSA', e: 'AQAB', n: random(1024) } })],
  ['a modulus of 1024 bits', () => headerOf({ alg: 'PS256', jwk: { kty: 'RSA', e: 'AQAB', n: random(128) } })],
  ['an exponent of 2048 bits', () => headerOf({ alg: 'PS256', jwk: { kty: 'RSA', e: random(256), n: random(256) } })],
  ['an exponent of one', () => headerOf({ alg: 'PS256', jwk: { kty: 'RSA', e: 'AQ', n: random(256) } })],
  ['RS256', () => headerOf({ alg: 'RS256', jwk: { kty: 'RSA', e: 'AQAB', n: random(256) } })],
  ['alg none', () => headerOf({ alg: 'none' })],
  ['an alg that is a list', () => headerOf({ alg: ['ES256'] })],
  ['the type of any JWT', () => headerOf({ typ: 'JWT' })],
  ['the type of an access token', () => headerOf({ typ: 'at+jwt' })],
  ['no type', () => headerOf({ typ: undefined })],
  ['x5c', () => headerOf({ x5c: ['AA=='] })],
  ['x5u', () => headerOf({ x5u: 'https://attacker.example/c' })],
  ['jku', () => headerOf({ jku: 'https://attacker.example/k' })],
  ['crit', () => headerOf({ crit: ['exp'], exp: 1 })],
  ['crit of b64', () => headerOf({ crit: ['b64'], b64: false })],
  ['zip', () => headerOf({ zip: 'DEF' })],
  ['depth in the key', () => headerOf({ jwk: deep(300) })],
];

const TEXTS: [string, () => string][] = [
  ['one word', () => 'proof'],
  ['dots', () => '..'],
  ['four parts', () => 'a.b.c.d'],
  ['five parts', () => 'a.b.c.d.e'],
  ['no JSON', () => 'AAAA.AAAA.AAAA'],
  ['null', () => `${encode(null)}.${encode(null)}.AA`],
  ['lists', () => `${encode([])}.${encode([])}.AA`],
  ['claims that are text', () => signed(headerOf(), 'claims')],
  ['14 KiB', () => `${encode(headerOf())}.${'A'.repeat(14_000)}.AA`],
  ['other bytes', () => '\u00ff\u00fe.\u00ff.\u00ff'],
  ['an empty signature', () => `${encode(headerOf())}.${encode({ jti: 'j' })}.`],
];

const CLAIMS: [string, object][] = [
  ['an iat beyond numbers', { iat: Number.MAX_VALUE }],
  ['an exp in the past', { exp: 1 }],
  ['an exp that is text', { exp: 'x' }],
  ['an nbf in the future', { nbf: 9_999_999_999 }],
  ['an htu that is no address', { htu: 'http://[' }],
  ['an htu with NUL', { htu: 'http://localhost/\u0000' }],
  ['an operator as jti', { jti: { not: '' } }],
];

describe.each(['token', 'userinfo'] as const)('S40 S44 S92 at %s', (name) => {
  async function expectRefused(dpop: string): Promise<void> {
    const began = performance.now();
    const { error, status } = await endpoints()[name].send(dpop);
    const took = performance.now() - began;
    expect({ status, error }).toEqual({ status: name === 'token' ? 400 : 401, error: 'invalid_dpop_proof' });
    expect(took).toBeLessThan(QUICK_MS);
  }

  test.each(HEADERS)('a header with %s is refused', async (_what, header) => {
    await expectRefused(signed(header(), claimsFor(endpoints()[name])));
  });

  test.each(TEXTS)('%s is no proof', async (_what, text) => {
    await expectRefused(text());
  });

  test.each(CLAIMS)('%s is refused', async (_what, changes) => {
    await expectRefused(signed(headerOf(), claimsFor(endpoints()[name], changes)));
  });

  test('the public key as the secret of an HMAC is refused', async () => {
    const input = `${encode(headerOf({ alg: 'HS256' }))}.${encode(claimsFor(endpoints()[name]))}`;
    await expectRefused(
      `${input}.${createHmac('sha256', JSON.stringify(holder.jwk)).update(input).digest('base64url')}`,
    );
  });
});

test('members that nobody asked for change nothing', async () => {
  const { token } = endpoints();
  const jwk = { ...holder.jwk, ext: true, key_ops: ['verify'], kid: 'mine', '__proto__.x': 1 };
  const claims = claimsFor(token, { sub: 'other', client_id: 'other', nested: deep(50) });
  expect(await token.send(signed(headerOf({ jwk, kid: 'k' }), claims))).toMatchObject({ status: 200 });
});

test('what is no proof is refused after the client is known, and an unknown client is told nothing of its proof', async () => {
  const { url } = endpoints().token;
  for (const dpop of ['proof', await proof(holder, { url })]) {
    const { status, body, headers } = await postForm(url, grant, { authorization: 'Basic YTpi', dpop });
    expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_client' });
    expect(headers.get('dpop-nonce')).toBeNull();
  }
});

test('a header that is longer than the server takes ends there', async () => {
  const { url } = endpoints().token;
  const response = await fetch(url, { method: 'POST', headers: { dpop: 'A'.repeat(17_000) } });
  await response.body?.cancel();
  expect(response.status).toBe(431);
});
