import { AppError } from '../../kernel/errors.ts';
import { type PublicKey, publicKeySet } from './public-key-set.ts';

/** More keys than any platform publishes at a time. */
const MOST_KEYS = 100;

/** What a SPIFFE trust bundle says its keys for JWT-SVIDs are for, in place of `sig`. */
const JWT_SVID = 'jwt-svid';

/** What a set must not hold: its holder is no longer the only one. */
const SECRET = new Set(['key_set.private', 'key_set.symmetric']);

/**
 * The keys of a set that belongs to others, as far as they can be used here: a set may hold keys for other purposes or
 * algorithms, which are passed over, and never a reason to refuse the rest. Each key that is taken meets the rules of
 * registered ones (public-key-set.ts). A set that gives a secret away is refused whole.
 * @throws AppError `key_set.not_a_set`, `key_set.none_of_use`, `key_set.private`, `key_set.symmetric`
 */
export function readForeignKeys(value: unknown): PublicKey[] {
  const list = listOf(forJwtSvids(value));
  if (!list) throw new AppError('key_set.not_a_set', { detail: { reason: 'not a JWK Set' } });
  const keys = list.slice(0, MOST_KEYS).flatMap((key, index) => {
    const read = publicKeySet.safeParse({ keys: [key] });
    if (read.success) return read.data.keys;
    const code = read.error.issues[0]?.message ?? '';
    if (!SECRET.has(code)) return [];
    throw new AppError(code, { params: { key: index + 1 }, detail: { reason: `key ${index + 1} is no public key` } });
  });
  if (keys.length === 0) {
    throw new AppError('key_set.none_of_use', { detail: { reason: 'no key that can verify a signature here' } });
  }
  return keys;
}

/**
 * A SPIFFE trust bundle (SPIFFE Trust Domain and Bundle, section 4) as a JWK Set of its keys for JWT-SVIDs; anything
 * else as it came, JSON text that can't be read too.
 */
export function forJwtSvids(value: unknown): unknown {
  const set = typeof value === 'string' ? parse(value) : value;
  const list = listOf(set);
  if (!list?.some((key) => useOf(key) === JWT_SVID)) return value;
  return { keys: list.filter((key) => useOf(key) === JWT_SVID).map((key) => ({ ...(key as object), use: 'sig' })) };
}

function listOf(set: unknown): unknown[] | undefined {
  const keys = typeof set === 'object' && set !== null ? (set as { keys?: unknown }).keys : undefined;
  return Array.isArray(keys) ? keys : undefined;
}

function useOf(key: unknown): unknown {
  return typeof key === 'object' && key !== null ? (key as { use?: unknown }).use : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
