import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

/** A key with which a client's signatures are verified (RFC 7517), public members alone. */
export interface PublicKey {
  kty: 'EC' | 'RSA' | 'OKP';
  /** Unique in its set; the thumbprint where none was given. */
  kid: string;
  use: 'sig';
  crv?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
  /** Only where the kind of key leaves a choice: RS256 or PS256. */
  alg?: string;
}

export interface PublicKeySet {
  keys: PublicKey[];
}

/** What a client's signatures are verified with: keys that were given, or an https address where it publishes them. */
export type RegisteredKeys = PublicKeySet | { uri: string };

/** A key as people tell it from others. */
export interface PublicKeyView {
  kid: string;
  /** `EC P-256`, `RSA 3072`, `Ed25519`. */
  kind: string;
  /** The signatures that it verifies. */
  algorithms: string[];
  /** RFC 7638, SHA-256, base64url. */
  thumbprint: string;
}

const MAX_KEYS = 10;
/** Ten large RSA keys with certificate chains stay far below. */
const MAX_TEXT = 50_000;
const MAX_KID = 200;
const MIN_RSA_BITS = 2048;
/** Beyond this a verification costs more than it protects. */
const MAX_RSA_BITS = 8192;
/** FIPS 186-5 section 5.4: with a small exponent a signature can be made without the key. */
const MIN_RSA_EXPONENT = 65_537n;

/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const ALGORITHMS: Record<string, string[]> = {
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  Ed25519: ['Ed25519', 'EdDSA'],
  RSA: ['RS256', 'PS256'],
};

/** Why a set is refused; its text is `error.key_set.<code>`. `key` counts from 1. */
class Refused extends Error {
  readonly code: string;
  readonly key: number | undefined;

  constructor(code: string, key?: number) {
    super(code);
    this.code = `key_set.${code}`;
    this.key = key;
  }
}

/** Takes a JWK Set, as an object or as JSON text; leaves what is needed of it. */
export const publicKeySet = z.unknown().transform((value, context): PublicKeySet => {
  try {
    return { keys: readKeys(value) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const params = error.key === undefined ? {} : { params: { key: error.key } };
    context.addIssue({ code: 'custom', message: error.code, ...params });
    return z.NEVER;
  }
});

export function describeKey(key: PublicKey): PublicKeyView {
  const kind = kindOf(key);
  const algorithms = key.alg === undefined ? (ALGORITHMS[key.kty === 'RSA' ? 'RSA' : kind] ?? []) : [key.alg];
  return { kid: key.kid, kind, algorithms, thumbprint: thumbprintOf(key) };
}

/** RFC 7638 section 3: the required members, ordered by name. */
export function thumbprintOf(key: Pick<PublicKey, 'kty' | 'crv' | 'x' | 'y' | 'n' | 'e'>): string {
  const { kty, crv, x, y, n, e } = key;
  const required = { EC: { crv, kty, x, y }, OKP: { crv, kty, x }, RSA: { e, kty, n } }[kty];
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}

function kindOf({ kty, crv, n }: Pick<PublicKey, 'kty' | 'crv' | 'n'>): string {
  if (kty === 'RSA') {
    const modulus = Buffer.from(n ?? '', 'base64url');
    return `RSA ${modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24)}`;
  }
  return kty === 'EC' ? `EC ${crv}` : (crv ?? '');
}

function readKeys(value: unknown): PublicKey[] {
  const set = typeof value === 'string' ? parse(value) : value;
  const list = isObject(set) ? set.keys : undefined;
  if (!Array.isArray(list)) throw new Refused('not_a_set');
  if (list.length < 1 || list.length > MAX_KEYS) throw new Refused('count');
  const keys = list.map((key, index) => readKey(key, index + 1));
  const seen = new Set<string>();
  keys.forEach(({ kid, thumbprint }, index) => {
    if (seen.has(`kid ${kid}`)) throw new Refused('kid_twice', index + 1);
    if (seen.has(`key ${thumbprint}`)) throw new Refused('key_twice', index + 1);
    seen.add(`kid ${kid}`).add(`key ${thumbprint}`);
  });
  return keys.map(({ thumbprint: _, ...key }) => key);
}

function parse(text: string): unknown {
  if (text.trim() === '') throw new Refused('missing');
  if (text.length > MAX_TEXT) throw new Refused('too_long');
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused('not_json');
  }
}

function readKey(jwk: unknown, at: number): PublicKey & { thumbprint: string } {
  if (!isObject(jwk)) throw new Refused('not_a_set');
  const { kty, kid, alg, use, key_ops: operations } = jwk;
  if (kty === 'oct') throw new Refused('symmetric', at);
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) throw new Refused('private', at);
  if (use !== undefined && use !== 'sig') throw new Refused('use', at);
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    throw new Refused('use', at);
  }
  const members = publicMembers(jwk, at);
  const kind = members.kty === 'RSA' ? 'RSA' : kindOf(members);
  const algorithms = ALGORITHMS[kind];
  if (!algorithms) throw new Refused('kind', at);
  if (alg !== undefined && !(typeof alg === 'string' && algorithms.includes(alg))) throw new Refused('alg', at);
  const thumbprint = thumbprintOf(members);
  const chosen = members.kty === 'RSA' && typeof alg === 'string' ? { alg } : {};
  return { ...members, kid: kidOf(kid, at) ?? thumbprint, use: 'sig', ...chosen, thumbprint };
}

/** Has the key built, so that it is one: a point on its curve, a modulus of its size; members in their one spelling. */
function publicMembers(jwk: Record<string, unknown>, at: number): Omit<PublicKey, 'kid' | 'use' | 'alg'> {
  const { kty, crv, x, y, n, e } = jwk;
  const known = kty === 'RSA' || (kty === 'EC' && crv !== undefined) || (kty === 'OKP' && crv === 'Ed25519');
  if (!known || (kty === 'EC' && crv !== 'P-256' && crv !== 'P-384')) throw new Refused('kind', at);
  const given = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => typeof value === 'string');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Object.fromEntries(given) as Record<string, string>, format: 'jwk' });
  } catch {
    throw new Refused('broken', at);
  }
  if (kty === 'RSA') {
    const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
    if (modulusLength < MIN_RSA_BITS || publicExponent < MIN_RSA_EXPONENT) throw new Refused('weak', at);
    if (modulusLength > MAX_RSA_BITS) throw new Refused('large', at);
  }
  return key.export({ format: 'jwk' }) as Omit<PublicKey, 'kid' | 'use' | 'alg'>;
}

function kidOf(kid: unknown, at: number): string | undefined {
  if (kid === undefined) return undefined;
  if (typeof kid !== 'string' || kid.length > MAX_KID || !/^[\x21-\x7e]+$/.test(kid)) throw new Refused('kid', at);
  return kid;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
