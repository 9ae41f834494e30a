import {
  constants,
  createPrivateKey,
  type JsonWebKey,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { type AccessToken, errors } from 'oidc-provider';
import { SIGNING_ALGORITHMS, type SigningAlg } from '../kernel/access-token.ts';

/** Signs the claims of an RFC 9068 access token, always with the same key. */
export interface AccessTokenSigner {
  kid: string;
  sign(claims: object): string | Promise<string>;
}

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

const signInPool = promisify<string, Buffer, KeyObject | SignKeyObjectInput, Buffer>(sign);

/** A signature on a curve costs less than a trip to the thread pool; one of RSA, a millisecond, belongs there. */
const SIGNATURES: Record<SigningAlg, (input: Buffer, key: KeyObject) => Buffer | Promise<Buffer>> = {
  ES256: (input, key) => derToJose(sign('sha256', input, key)),
  EdDSA: (input, key) => sign(null, input, key),
  RS256: (input, key) => signInPool('sha256', input, key),
  // RFC 7518 section 3.5: the salt is as long as the digest.
  PS256: (input, key) =>
    signInPool('sha256', input, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
};

function createSigner(alg: SigningAlg, jwk: JWK, kid: string): AccessTokenSigner {
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url');
  const signed = (claims: object) => {
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const signature = SIGNATURES[alg](Buffer.from(input), key);
    const complete = (bytes: Buffer) => `${input}.${bytes.toString('base64url')}`;
    return Buffer.isBuffer(signature) ? complete(signature) : signature.then(complete);
  };
  return { kid, sign: signed };
}

/** `keys`: private keys, in the order in which the library looks through them; the first that fits signs. */
export function createAccessTokenSigners(keys: JWK[]): ReadonlyMap<SigningAlg, AccessTokenSigner> {
  const signers = new Map<SigningAlg, AccessTokenSigner>();
  for (const alg of SIGNING_ALGORITHMS) {
    const jwk = keys.find((key) => key.alg === alg && key.use === 'sig');
    if (jwk?.kid) signers.set(alg, createSigner(alg, jwk, jwk.kid));
  }
  return signers;
}

/**
 * Has the library sign with the key that `signers` name, and answers its kid for the token's row. The library would take
 * the same one, but does not say so. @throws temporarily_unavailable where this process knows of no key yet
 */
export function pinKey(
  token: Pick<AccessToken, 'resourceServer'>,
  signers: ReadonlyMap<SigningAlg, AccessTokenSigner>,
): string {
  const settings = token.resourceServer?.jwt?.sign || undefined;
  const kid = signers.get(settings?.alg as SigningAlg)?.kid;
  if (!settings || kid === undefined) throw new errors.TemporarilyUnavailable('no key for this algorithm is at hand');
  Object.assign(settings, { kid });
  return kid;
}
