import { claimAt, equalsText } from '../../kernel/workload-trust.ts';
import { ASSERTION_ALGORITHMS } from '../assertions.ts';
import type { WorkloadTrust } from './trust-source.ts';

/** A JWT of another issuer, taken apart. Nothing of it is proven. */
export interface ForeignToken {
  compact: string;
  alg: string;
  kid: string | undefined;
  /** Header and claims as they were signed. A signature can be written in several ways; this can't. */
  signed: string;
  claims: Record<string, unknown>;
  issuer: string;
}

const MAX_TEXT = 16 * 1024;
const MAX_KID = 200;
const MAX_JTI = 256;
const MAX_ISSUER = 500;

/**
 * `JWT`, as it is or as a media type, and what a JWT-SVID may have instead (JWT-SVID section 2.3). A type of its own says
 * that the token is for something else: `at+jwt` (RFC 9068 section 2.1), `dpop+jwt`, `logout+jwt`.
 */
const TYPE = /^(?:application\/)?(?:jwt|jose)$/i;

/** Keys come from the issuer alone (RFC 7515 section 4.1), and there is no extension to understand. */
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'];

const PART = /^[\w-]+$/;
/** As a trust entry can have it; anything else is nobody's. */
const ISSUER = /^https?:\/\/[\x21-\x7e]+$/;

type Problem = { problem: string };

export function readToken(compact: string): ForeignToken | Problem {
  if (compact.length > MAX_TEXT) return { problem: 'the assertion is too long' };
  const parts = compact.split('.');
  const [head = '', body = ''] = parts;
  if (parts.length !== 3 || !parts.every((part) => PART.test(part))) return { problem: 'the assertion is not a JWT' };
  const header = readObject(head);
  const claims = readObject(body);
  if (!header || !claims) return { problem: 'the assertion is not a JWT' };
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || !ASSERTION_ALGORITHMS.some((known) => known === alg)) {
    return { problem: 'alg is not one that is taken' };
  }
  const refused = REFUSED_HEADERS.find((name) => header[name] !== undefined);
  if (refused !== undefined) return { problem: `${refused} is not allowed in the header` };
  if (typ !== undefined && !(typeof typ === 'string' && TYPE.test(typ))) return { problem: 'typ is not that of a JWT' };
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID)) {
    return { problem: 'kid is not a text of moderate length' };
  }
  const { iss } = claims;
  if (typeof iss !== 'string' || iss.length > MAX_ISSUER || !ISSUER.test(iss)) return { problem: 'iss is not a URL' };
  return { compact, alg, kid, signed: `${head}.${body}`, claims, issuer: iss };
}

function readObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** What is wrong with the times of a token, whoever trusts it (RFC 7523 section 3). Seconds. */
export function timeProblem({ claims }: ForeignToken, now: number, tolerance: number): string | undefined {
  const { exp, nbf, iat } = claims;
  if (!isTime(exp)) return 'exp is missing, or no time';
  if (exp + tolerance <= now) return 'exp has passed';
  if (nbf !== undefined && !(isTime(nbf) && nbf <= now + tolerance)) return 'nbf is in the future';
  if (!isTime(iat)) return 'iat is missing, or no time';
  if (iat > now + tolerance) return 'iat is in the future';
  return undefined;
}

/** Why an entry does not take the token, or undefined. Its times are in order. */
export function misfit(trust: WorkloadTrust, { claims }: ForeignToken, now: number, tolerance: number) {
  const { aud, iat, jti } = claims;
  const audience = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (audience !== trust.audience) return 'aud is not the audience of the entry';
  for (const [path, expected] of Object.entries(trust.claims)) {
    const value = claimAt(claims, path);
    if (value === undefined) return `claim ${path} is missing`;
    if (!equalsText(value, expected)) return `claim ${path} differs`;
  }
  if (now - Number(iat) > trust.maxAge + tolerance) return `it is older than ${trust.maxAge} seconds`;
  const usable = jti === undefined || (typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI);
  return trust.singleUse && !usable ? 'jti is not a text of moderate length' : undefined;
}

/** What a token is remembered by where it counts once. */
export function identityOf({ claims, issuer, signed }: ForeignToken): string {
  return typeof claims.jti === 'string' ? `jwt-bearer|${issuer}|${claims.jti}` : `jwt-bearer|${signed}`;
}

/** The last second of the year 9999: what comes after it is no date (RFC 3339), and can't be kept as one. */
const LAST_SECOND = 253_402_300_799;

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_SECOND;
}
