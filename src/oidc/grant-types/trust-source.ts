import { LRUCache } from 'lru-cache';
import type { ClaimRules } from '../../kernel/workload-trust.ts';
import type { PublicKey } from '../../platform/crypto/public-key-set.ts';
import type { Database } from '../../platform/db/database.ts';
import { WORKLOAD_TRUSTS_CHANGED } from '../../platform/db/notify.ts';

/** One entry: tokens of this issuer that fit it are taken for the service account. */
export interface WorkloadTrust {
  id: string;
  name: string;
  /** Of the service account. */
  clientId: string;
  issuer: string;
  /** Keys: from here, or those given, or by discovery where both are null. */
  jwksUri: string | null;
  keys: PublicKey[] | null;
  audience: string;
  claims: ClaimRules;
  /** Seconds. */
  maxAge: number;
  singleUse: boolean;
}

export interface TrustSource {
  /** Those that are not disabled, oldest first. */
  of(issuer: string): Promise<WorkloadTrust[]>;
  close(): Promise<void>;
}

const FIND = `SELECT t.id, t.name, a.client_id AS "clientId", t.issuer, t.jwks_uri AS "jwksUri", t.jwks -> 'keys' AS keys,
    t.audience, t.claims, t.max_age AS "maxAge", t.single_use AS "singleUse"
  FROM workload_trust t JOIN service_account a ON a.id = t.service_account_id
  WHERE t.issuer = $1 AND t.disabled_at IS NULL ORDER BY t.id`;

/** Long enough to serve a burst from memory, short enough that a lost notification heals. */
const KEEP_MS = 30_000;

export async function createTrustSource(db: Database): Promise<TrustSource> {
  const cache = new LRUCache<string, WorkloadTrust[]>({ max: 1_000, ttl: KEEP_MS });
  let generation = 0;

  const stop = await db.listen(WORKLOAD_TRUSTS_CHANGED, () => {
    generation += 1;
    cache.clear();
  });

  return {
    async of(issuer) {
      const known = cache.get(issuer);
      if (known) return known;
      const before = generation;
      const trusts = await db.query<WorkloadTrust>('workload-trusts-of', FIND, [issuer]);
      // Issuers that nobody trusts are not kept: made-up ones would drive the others out.
      if (trusts.length > 0 && before === generation) cache.set(issuer, trusts);
      return trusts;
    },
    close: stop,
  };
}
