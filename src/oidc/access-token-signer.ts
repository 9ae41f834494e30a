import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { SIGNING_ALGORITHMS, type SigningAlg } from '../kernel/access-token.ts';

/** Signs the claims of an RFC 9068 access token. */
export type AccessTokenSigner = (claims: object) => string | Promise<string>;

const COORDINATE = 32;

/**
 * ECDSA-Sig-Value (RFC 3279 section 2.2.3) → r ‖ s. Node can give r ‖ s itself, at twice the cost of a signature: its
 * conversion takes another way through OpenSSL.
 */
function derToJose(der: Buffer): Buffer {
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

const signInPool = promisify<string, Buffer, KeyObject, Buffer>(sign);

/** A signature on a curve costs less than a trip to the thread pool; one of RSA, a millisecond, belongs there. */
const SIGNATURES: Record<SigningAlg, (input: Buffer, key: KeyObject) => Buffer | Promise<Buffer>> = {
  ES256: (input, key) => derToJose(sign('sha256', input, key)),
  EdDSA: (input, key) => sign(null, input, key),
  RS256: (input, key) => signInPool('sha256', input, key),
};

function createSigner(alg: SigningAlg, jwk: JWK): AccessTokenSigner {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: jwk.kid })).toString('base64url');
  return (claims) => {
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const signature = SIGNATURES[alg](Buffer.from(input), key);
    const complete = (bytes: Buffer) => `${input}.${bytes.toString('base64url')}`;
    return Buffer.isBuffer(signature) ? complete(signature) : signature.then(complete);
  };
}

/** `keys`: private keys, in the order in which the library looks through them; the first that fits signs. */
export function createAccessTokenSigners(keys: JWK[]): ReadonlyMap<SigningAlg, AccessTokenSigner> {
  const signers = new Map<SigningAlg, AccessTokenSigner>();
  for (const alg of SIGNING_ALGORITHMS) {
    const jwk = keys.find((key) => key.alg === alg && key.use === 'sig');
    if (jwk) signers.set(alg, createSigner(alg, jwk));
  }
  return signers;
}
