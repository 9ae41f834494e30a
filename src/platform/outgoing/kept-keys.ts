import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PublicKey } from '../crypto/public-key-set.ts';

/** Public keys that others publish, kept for a while. `Source` says where they stand. */
export interface KeptKeys<Source> {
  /**
   * The keys of a source, where possible with one of this id among them; the same array for as long as they are the
   * same.
   * @throws AppError what kept them from being read, when there are none that are young enough, or when one is asked
   *   for that is not among them: nobody can say whether it is new while its server is away
   */
  of(source: Source, kid: string | undefined): Promise<PublicKey[]>;
  /** Reads them now, whatever is kept. @throws the same */
  read(source: Source): Promise<PublicKey[]>;
}

const SECOND = 1_000;
/** A key that was taken down counts for so long at the most… */
const FRESH_MS = 5 * 60 * SECOND;
/** …unless its server is away: then for so long, lest every outage of it be one of ours too. */
const USABLE_MS = 60 * 60 * SECOND;
/** A key id that nobody knows makes the server be asked this often at the most. */
const FORCED_EVERY_MS = 30 * SECOND;
/** After a failure: while there are keys to go on with, and while there are none. */
const RETRY_MS = { kept: 30 * SECOND, none: 5 * SECOND };

interface Entry {
  keys: PublicKey[];
  readAt: number;
  forcedAt: number;
  triedAt: number;
  failure: AppError | undefined;
  underWay: Promise<void> | undefined;
}

export function createKeptKeys<Source>(options: {
  clock: Clock;
  /** What is the same source has the same name. */
  nameOf: (source: Source) => string;
  read: (source: Source) => Promise<PublicKey[]>;
  onFailure?: (source: Source, error: AppError) => void;
}): KeptKeys<Source> {
  const entries = new LRUCache<string, Entry>({ max: 1_000 });
  const now = () => options.clock.now().getTime();

  function entryOf(source: Source): Entry {
    const name = options.nameOf(source);
    const known = entries.get(name);
    if (known) return known;
    const never = { readAt: Number.NEGATIVE_INFINITY, forcedAt: Number.NEGATIVE_INFINITY };
    const entry: Entry = { keys: [], ...never, triedAt: never.readAt, failure: undefined, underWay: undefined };
    entries.set(name, entry);
    return entry;
  }

  /** Never rejects; who needs the same keys waits for the same answer. */
  function refresh(entry: Entry, source: Source): Promise<void> {
    entry.underWay ??= options
      .read(source)
      .then(
        (keys) => {
          const same = JSON.stringify(keys) === JSON.stringify(entry.keys);
          Object.assign(entry, { ...(same ? {} : { keys }), readAt: now(), failure: undefined });
        },
        (error: unknown) => {
          entry.failure = error instanceof AppError ? error : new AppError('outgoing.failed', { cause: error });
          options.onFailure?.(source, entry.failure);
        },
      )
      .finally(() => {
        Object.assign(entry, { triedAt: now(), underWay: undefined });
      });
    return entry.underWay;
  }

  function isDue(entry: Entry, isKnown: boolean): boolean {
    const { readAt, triedAt, forcedAt, failure } = entry;
    const retry = now() - readAt < USABLE_MS ? RETRY_MS.kept : RETRY_MS.none;
    if (failure && now() - triedAt < retry) return false;
    return now() - readAt >= FRESH_MS || (!isKnown && now() - forcedAt >= FORCED_EVERY_MS);
  }

  return {
    async of(source, kid) {
      const entry = entryOf(source);
      const isKnown = () => kid === undefined || entry.keys.some((key) => key.kid === kid);
      if (entry.underWay) await entry.underWay;
      else if (isDue(entry, isKnown())) {
        if (now() - entry.readAt < FRESH_MS) entry.forcedAt = now();
        await refresh(entry, source);
      }
      if (entry.failure && (now() - entry.readAt >= USABLE_MS || !isKnown())) throw entry.failure;
      return entry.keys;
    },

    async read(source) {
      const entry = entryOf(source);
      await refresh(entry, source);
      if (entry.failure) throw entry.failure;
      return entry.keys;
    },
  };
}
