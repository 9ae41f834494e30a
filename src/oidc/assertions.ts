/** Signatures that an assertion may carry; the key decides which of them it can make. */
export const ASSERTION_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'Ed25519', 'EdDSA'] as const;

/** Seconds that an assertion may still be good for: its jti is remembered for as long. */
const LONGEST = 300;

const MAX_JTI = 256;

/** `client-authentication+jwt` as RFC 7523bis names it; before that there was no type, or the one of every JWT. */
const TYPES = ['jwt', 'client-authentication+jwt'];

/** A key comes from the registered set alone (RFC 7515 section 4.1), and there is no extension to understand. */
export const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'];

/**
 * What is wrong with a client's assertion whose signature is genuine, or undefined: RFC 7523 section 3, as RFC 7523bis
 * narrows it. The library also takes the endpoint's URL as the audience, any list of audiences, any lifetime and any
 * type. That its jti is used once is checked after this.
 */
export function assertionProblem(
  assertion: { claims: Record<string, unknown>; header: Record<string, unknown> },
  expected: { issuer: string; clientId: string; now: number; tolerance: number },
): string | undefined {
  const { claims, header } = assertion;
  const { issuer, clientId, now, tolerance } = expected;
  const { aud, iss, sub, jti, exp } = claims;
  if (aud !== issuer) return 'aud must be the issuer';
  if (iss !== clientId || sub !== clientId) return 'iss and sub must be the client_id';
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) return 'jti must be a text of moderate length';
  if (typeof exp !== 'number' || exp > now + LONGEST + tolerance) return 'exp is too far away';
  for (const name of ['iat', 'nbf']) {
    const at = claims[name];
    if (at === undefined) continue;
    if (typeof at !== 'number' || at > now + tolerance) return `${name} is in the future`;
  }
  if (header.typ !== undefined && !isType(header.typ)) return 'typ is not that of a client assertion';
  const refused = REFUSED_HEADERS.find((name) => header[name] !== undefined);
  return refused === undefined ? undefined : `${refused} is not allowed in the header`;
}

/** Types are compared without regard to case, and may leave `application/` out (RFC 7515 section 4.1.9). */
function isType(typ: unknown): boolean {
  return typeof typ === 'string' && TYPES.includes(typ.toLowerCase().replace(/^application\//, ''));
}
