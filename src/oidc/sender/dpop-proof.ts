/**
 * Signatures that a DPoP proof may carry. A proof's key is made for this purpose alone, by whatever the client runs on,
 * and all of that can make one of these: RSASSA-PKCS1-v1_5 (RS256) would bring nothing but its age.
 */
export const PROOF_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA', 'PS256'] as const;

/** Characters. A proof with an RSA key of 4096 bits has about half as many. */
const LONGEST_PROOF = 4096;
const LONGEST_JTI = 256;
/** Seconds that a client's clock may differ from ours; the nonce, which holds our time, ends before that. */
const IAT_WITHIN = 300;

const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;

/** The key comes as `jwk` alone, and there is no extension to understand (RFC 7515 section 4.1). */
const REFUSED_HEADERS = ['jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip'];
/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2. */
const SECRET_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/** Characters of base64url for the coordinates of P-256 and for a key of Ed25519. */
const COORDINATE = /^[\w-]{43}$/;
/** 2048 to 4096 bits. */
const MODULUS = /^[\w-]{342,683}$/;
/** 32 bits at the most: a longer exponent makes each verification dear. */
const EXPONENT = /^[\w-]{2,6}$/;

type Json = Record<string, unknown>;

/**
 * What is wrong with a proof (RFC 9449 section 4.2), or undefined. This costs next to nothing and comes before a key is
 * made of what a stranger sent. What it asks for is the least that any proof has to be; the library verifies the
 * signature, `htm`, `htu`, `ath` and the nonce after this. `now`: seconds since the epoch.
 */
export function proofProblem(proof: string, now: number): string | undefined {
  if (proof.length > LONGEST_PROOF) return 'the DPoP proof is too long';
  const [, head = '', body = ''] = COMPACT.exec(proof) ?? [];
  const header = decode(head);
  const claims = decode(body);
  if (!header || !claims) return 'the DPoP proof must be one JWT';
  if (header.typ !== 'dpop+jwt') return 'the DPoP proof must be of the type dpop+jwt';
  if (!(PROOF_ALGORITHMS as readonly unknown[]).includes(header.alg)) return 'the DPoP proof alg is not supported';
  const refused = REFUSED_HEADERS.find((name) => header[name] !== undefined);
  if (refused !== undefined) return `${refused} is not allowed in the header of a DPoP proof`;
  return keyProblem(header.jwk) ?? claimsProblem(claims, now);
}

function claimsProblem({ jti, iat, nonce }: Json, now: number): string | undefined {
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_JTI) {
    return 'the DPoP proof jti must be a text of moderate length';
  }
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return 'the DPoP proof iat must be a number';
  // Without a nonce the library answers with one, and looks no further.
  const aside = Math.abs(now - iat) > IAT_WITHIN;
  return nonce !== undefined && aside ? 'the DPoP proof iat is too far from the present' : undefined;
}

function keyProblem(jwk: unknown): string | undefined {
  if (!isObject(jwk)) return 'the DPoP proof must hold its public key';
  if (SECRET_PARTS.some((name) => jwk[name] !== undefined)) return 'the DPoP proof must hold the public key alone';
  const { kty, crv } = jwk;
  const is = (name: string, pattern: RegExp) => typeof jwk[name] === 'string' && pattern.test(jwk[name]);
  const supported =
    (kty === 'EC' && crv === 'P-256' && is('x', COORDINATE) && is('y', COORDINATE)) ||
    (kty === 'OKP' && crv === 'Ed25519' && is('x', COORDINATE)) ||
    (kty === 'RSA' && is('n', MODULUS) && is('e', EXPONENT));
  return supported ? undefined : 'the DPoP proof key is not supported';
}

function decode(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
