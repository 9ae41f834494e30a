import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import type { JWK } from 'jose';

/** Signs the claims of an RFC 9068 access token with ES256 (RFC 7518 section 3.4). */
export type AccessTokenSigner = (claims: object) => string;

const COORDINATE = 32;

/**
 * ECDSA-Sig-Value (RFC 3279 section 2.2.3) → r ‖ s. Node can give r ‖ s itself, at twice the cost of a signature: its
 * conversion takes another way through OpenSSL.
 */
export function derToJose(der: Buffer): Buffer {
  const joined = Buffer.alloc(2 * COORDINATE);
  let offset = 2;
  for (const end of [COORDINATE, 2 * COORDINATE]) {
    const length = der[offset + 1] ?? 0;
    const value = der.subarray(offset + 2, offset + 2 + length);
    const digits = value.subarray(Math.max(0, length - COORDINATE));
    digits.copy(joined, end - digits.length);
    offset += 2 + length;
  }
  return joined;
}

/** `jwk`: the private key that signs now. Synchronous: a signature costs less than a trip to the thread pool. */
export function createAccessTokenSigner(jwk: JWK): AccessTokenSigner {
  const key: KeyObject = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid })).toString('base64url');
  return (claims) => {
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    return `${input}.${derToJose(sign('sha256', Buffer.from(input), key)).toString('base64url')}`;
  };
}
