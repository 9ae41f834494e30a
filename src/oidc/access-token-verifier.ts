import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { SIGNING_ALGORITHMS } from '../kernel/access-token.ts';
import { isCompactJws } from '../kernel/compact-jws.ts';

/** What the library makes its opaque values of. */
const OPAQUE = /^[\w-]+$/;

/** Tokens; a thousand of them are about a megabyte. */
const KEPT = 4_000;

/** What stands in the header of our own tokens, and so nothing that names a key or changes how they are read. */
const HEADER = new Set(['alg', 'typ', 'kid']);

/** Whether a token can only be one that says nothing by itself. */
export function isOpaque(token: string): boolean {
  return OPAQUE.test(token);
}

/** The claims of a JWT access token (RFC 9068) of our own, or undefined for anything else. */
export type AccessTokenVerifier = (token: string) => Promise<(JWTPayload & { jti: string }) | undefined>;

/**
 * Signature by one of our keys, `typ`, issuer, algorithm and time. A key comes from the set alone; a header with `jwk`,
 * `jku`, `x5u` or `crit` (RFC 7515 section 4.1) is none of ours.
 */
export function createAccessTokenVerifier(options: {
  issuer: string;
  publicKeys: JSONWebKeySet;
  now: () => Date;
}): AccessTokenVerifier {
  const keys = createLocalJWKSet(options.publicKeys);
  // A gateway asks about the same token over and over; a signature is verified once. The keys are those of this verifier
  // alone, so one that is gone takes what it verified along.
  const known = new LRUCache<string, JWTPayload & { jti: string }>({ max: KEPT });
  return async (token) => {
    const before = known.get(token);
    if (before) return Number(before.exp) > options.now().getTime() / 1000 ? before : undefined;
    if (!isCompactJws(token)) return undefined;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: options.issuer,
        typ: 'at+jwt',
        algorithms: [...SIGNING_ALGORITHMS],
        currentDate: options.now(),
        requiredClaims: ['jti', 'exp', 'client_id'],
      });
      const { jti } = payload;
      const asMade = Object.keys(protectedHeader).every((name) => HEADER.has(name));
      if (!asMade || typeof jti !== 'string') return undefined;
      const claims = { ...payload, jti };
      known.set(token, claims);
      return claims;
    } catch {
      return undefined;
    }
  };
}
