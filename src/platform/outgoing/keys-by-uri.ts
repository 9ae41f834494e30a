import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import { type PublicKey, publicKeySet } from '../crypto/public-key-set.ts';
import type { Outgoing } from './outgoing.ts';

/** Public keys that clients publish themselves (`jwks_uri`, RFC 7591 section 2), kept for a while. */
export interface KeysByUri {
  /**
   * The keys of a URI, where possible with one of this id among them; the same array for as long as they are the same.
   * @throws AppError `outgoing.*`, `key_set.*` when there are none that are young enough
   */
  of(uri: string, kid: string | undefined): Promise<PublicKey[]>;
  /** Reads them now, whatever is kept. @throws the same */
  read(uri: string): Promise<PublicKey[]>;
}

const SECOND = 1_000;
/** A key that was taken down counts for so long at the most… */
const FRESH_MS = 5 * 60 * SECOND;
/** …unless its server is away: then for so long, lest every outage of it be one of the service too. */
const USABLE_MS = 60 * 60 * SECOND;
/** Neither a key id that nobody knows nor a server that is away makes it be asked more often. */
const AGAIN_MS = 30 * SECOND;
const MOST_KEYS = 100;
/** A key server that is slow may not hold a token request for long. */
const LIMITS = { maxBytes: 64 * 1024, timeoutMs: 3_000 };

interface Entry {
  keys: PublicKey[];
  readAt: number;
  triedAt: number;
  failure: AppError | undefined;
  underWay: Promise<void> | undefined;
}

export function createKeysByUri(deps: { outgoing: Pick<Outgoing, 'json'>; clock: Clock }): KeysByUri {
  const { outgoing, clock } = deps;
  const entries = new LRUCache<string, Entry>({ max: 1_000 });
  const now = () => clock.now().getTime();

  function entryOf(uri: string): Entry {
    const known = entries.get(uri);
    if (known) return known;
    const never = Number.NEGATIVE_INFINITY;
    const entry: Entry = { keys: [], readAt: never, triedAt: never, failure: undefined, underWay: undefined };
    entries.set(uri, entry);
    return entry;
  }

  /** Never rejects; who needs the same keys waits for the same answer. */
  function refresh(entry: Entry, uri: string): Promise<void> {
    entry.underWay ??= outgoing
      .json(uri, LIMITS)
      .then(readKeys)
      .then(
        (keys) => {
          const same = JSON.stringify(keys) === JSON.stringify(entry.keys);
          Object.assign(entry, { ...(same ? {} : { keys }), readAt: now(), failure: undefined });
        },
        (error: AppError) => {
          entry.failure = error;
        },
      )
      .finally(() => {
        Object.assign(entry, { triedAt: now(), underWay: undefined });
      });
    return entry.underWay;
  }

  return {
    async of(uri, kid) {
      const entry = entryOf(uri);
      const isKnown = () => kid === undefined || entry.keys.some((key) => key.kid === kid);
      const isFresh = now() - entry.readAt < FRESH_MS;
      if (entry.underWay) await entry.underWay;
      else if ((!isFresh || !isKnown()) && now() - entry.triedAt >= AGAIN_MS) await refresh(entry, uri);
      if (entry.failure && (now() - entry.readAt >= USABLE_MS || !isKnown())) throw entry.failure;
      return entry.keys;
    },

    async read(uri) {
      const entry = entryOf(uri);
      await refresh(entry, uri);
      if (entry.failure) throw entry.failure;
      return entry.keys;
    },
  };
}

/**
 * Each key meets the rules of registered ones. One for another purpose or of another kind is passed over; a set that
 * gives a secret away is refused whole, because its holder is no longer the only one.
 */
function readKeys(value: unknown): PublicKey[] {
  const list = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(list)) throw new AppError('key_set.not_a_set', { detail: { reason: 'not a JWK Set' } });
  const keys = list.slice(0, MOST_KEYS).flatMap((key, index) => {
    const read = publicKeySet.safeParse({ keys: [key] });
    if (read.success) return read.data.keys;
    const code = read.error.issues[0]?.message ?? '';
    if (code !== 'key_set.private' && code !== 'key_set.symmetric') return [];
    throw new AppError(code, { params: { key: index + 1 }, detail: { reason: `key ${index + 1} is no public key` } });
  });
  if (keys.length === 0) {
    throw new AppError('key_set.none_of_use', { detail: { reason: 'no key that can verify a signature here' } });
  }
  return keys;
}
