import { KeyObject, sign } from 'node:crypto';
import { expect } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { postForm, type TokenAnswer } from './oauth.ts';
import { BY_TEST } from './people.ts';
import type { Postern } from './postern.ts';

/** A service account that signs assertions (RFC 7523 section 2.2), with the private key that goes with `jwk`. */
export interface Signer {
  id: string;
  clientId: string;
  privateKey: CryptoKey;
  jwk: JWK & { kid: string };
  issuer: string;
}

/** Seconds since the epoch. */
export const epoch = () => Math.floor(Date.now() / 1000);

export async function pairOf(alg: string): Promise<Pick<Signer, 'privateKey' | 'jwk'>> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: 'k1' } };
}

let made = 0;

/** `permission` as `<audience>#<name>`. */
export async function createSigner(postern: Postern, permission: string, alg = 'ES256'): Promise<Signer> {
  const pair = await pairOf(alg);
  made += 1;
  const { id, clientId } = await postern.parts.serviceAccounts.create(
    { name: `signer ${made}`, permissions: [permission], auth: 'private_key_jwt', jwks: { keys: [pair.jwk] } },
    BY_TEST,
  );
  return { ...pair, id, clientId, issuer: postern.url };
}

/** Good claims with `changes` in them; what is undefined is left out. */
export function claimsOf(by: Signer, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const now = epoch();
  const { clientId, issuer } = by;
  const claims = { iss: clientId, sub: clientId, aud: issuer, jti: crypto.randomUUID(), iat: now, exp: now + 60 };
  return Object.fromEntries(Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== undefined));
}

export function assertion(by: Signer, changes: Record<string, unknown> = {}, header: object = {}): Promise<string> {
  return new SignJWT(claimsOf(by, changes))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header })
    .sign(by.privateKey);
}

/** Signs any header and any claims with ES256, also those that no library would. */
export function handmade(by: Signer, header: object, claims: object = claimsOf(by)): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  const key = { key: KeyObject.from(by.privateKey), dsaEncoding: 'ieee-p1363' as const };
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

export function assertionForm(client_assertion: string): Record<string, string> {
  return { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion };
}

/** Asks for a token by client credentials. */
export function sendAssertion(
  origin: string,
  client_assertion: string,
  extra: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const form = { grant_type: 'client_credentials', ...assertionForm(client_assertion), ...extra };
  return postForm(`${origin}/oauth2/token`, form, headers);
}

export function expectInvalidClient(answer: TokenAnswer): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 401, error: 'invalid_client' });
  expect(Object.keys(answer.body).filter((name) => name.includes('token'))).toEqual([]);
  expect(answer.headers.get('cache-control')).toBe('no-store');
}
