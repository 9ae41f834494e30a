import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock.ts';
import { unavailable } from '../../kernel/errors.ts';
import { readForeignKeys } from '../../platform/crypto/foreign-key-set.ts';
import type { PublicKey } from '../../platform/crypto/public-key-set.ts';
import type { Log } from '../../platform/observe/log.ts';

/** The guarded client for addresses that came from metadata. */
export interface KeyFetcher {
  json(url: string, options?: { maxBytes?: number; timeoutMs?: number }): Promise<unknown>;
}

export interface IssuerKeys {
  /**
   * The published keys of an issuer, where possible with one of this id among them.
   * @throws AppError `workload_trusts.keys_unavailable` (503) when there are none, and none that are young enough
   */
  of(source: KeySource, kid: string | undefined): Promise<PublicKey[]>;
}

/** Keys stand at `jwksUri`; without it, where the issuer's metadata says (OpenID Connect Discovery section 4). */
export interface KeySource {
  issuer: string;
  jwksUri: string | null;
}

const SECOND = 1_000;
const FRESH_MS = 5 * 60 * SECOND;
/** What was published an hour ago may have been withdrawn since: a key server that is away can't say. */
const USABLE_MS = 60 * 60 * SECOND;
/** A key id that nobody knows makes an issuer's server be asked this often at the most. */
const FORCED_EVERY_MS = 30 * SECOND;
/** After a failure: while there are keys to go on with, and while there are none. */
const RETRY_MS = { kept: 30 * SECOND, none: 5 * SECOND };

const FETCH = { maxBytes: 256 * 1024, timeoutMs: 3_000 };

interface Entry {
  keys: PublicKey[];
  fetchedAt: number;
  forcedAt: number;
  failedAt: number;
  underWay: Promise<void> | undefined;
}

export function createIssuerKeys(deps: { outgoing: KeyFetcher; clock: Clock; log: Log }): IssuerKeys {
  const { outgoing, clock, log } = deps;
  const entries = new LRUCache<string, Entry>({ max: 1_000 });
  const now = () => clock.now().getTime();

  async function fetchKeys({ issuer, jwksUri }: KeySource): Promise<PublicKey[]> {
    return readForeignKeys(await outgoing.json(jwksUri ?? (await discover(issuer)), FETCH));
  }

  async function discover(issuer: string): Promise<string> {
    const metadata = await outgoing.json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, FETCH);
    const { issuer: told, jwks_uri: uri } = (metadata ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
    if (told !== issuer) throw new Error('the metadata names another issuer');
    if (typeof uri !== 'string') throw new Error('the metadata has no jwks_uri');
    return uri;
  }

  /** Never rejects; requests that need the same keys wait for the same answer. */
  function refresh(entry: Entry, source: KeySource): Promise<void> {
    entry.underWay ??= fetchKeys(source)
      .then(
        (keys) => {
          Object.assign(entry, { keys, fetchedAt: now(), failedAt: Number.NEGATIVE_INFINITY });
        },
        (error: unknown) => {
          entry.failedAt = now();
          log.warn({ err: error, issuer: source.issuer }, 'the keys of an issuer of workload tokens could not be read');
        },
      )
      .finally(() => {
        entry.underWay = undefined;
      });
    return entry.underWay;
  }

  function entryOf(source: KeySource): Entry {
    const name = JSON.stringify([source.issuer, source.jwksUri]);
    const known = entries.get(name);
    if (known) return known;
    const never = Number.NEGATIVE_INFINITY;
    const entry: Entry = { keys: [], fetchedAt: never, forcedAt: never, failedAt: never, underWay: undefined };
    entries.set(name, entry);
    return entry;
  }

  return {
    async of(source, kid) {
      const entry = entryOf(source);
      const isKnown = () => kid === undefined || entry.keys.some((key) => key.kid === kid);
      const isUsable = () => now() - entry.fetchedAt < USABLE_MS;
      const mayAsk = now() - entry.failedAt >= (isUsable() ? RETRY_MS.kept : RETRY_MS.none);
      if (entry.underWay) await entry.underWay;
      else if (now() - entry.fetchedAt >= FRESH_MS) {
        if (mayAsk) await refresh(entry, source);
      } else if (!isKnown() && mayAsk && now() - entry.forcedAt >= FORCED_EVERY_MS) {
        entry.forcedAt = now();
        await refresh(entry, source);
      }
      // Nobody can say whether a key is new while the server that publishes it is away.
      const away = entry.failedAt > entry.fetchedAt;
      if (!isUsable() || (away && !isKnown())) {
        throw unavailable('workload_trusts.keys_unavailable', undefined, 5);
      }
      return entry.keys;
    },
  };
}
