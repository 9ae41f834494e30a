import type { Clock } from '../../kernel/clock.ts';
import { unavailable } from '../../kernel/errors.ts';
import { readForeignKeys } from '../../platform/crypto/foreign-key-set.ts';
import type { PublicKey } from '../../platform/crypto/public-key-set.ts';
import type { Log } from '../../platform/observe/log.ts';
import { createKeptKeys } from '../../platform/outgoing/kept-keys.ts';

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

const FETCH = { maxBytes: 256 * 1024, timeoutMs: 3_000 };

export function createIssuerKeys(deps: { outgoing: KeyFetcher; clock: Clock; log: Log }): IssuerKeys {
  const { outgoing, clock, log } = deps;

  async function discover(issuer: string): Promise<string> {
    const metadata = await outgoing.json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, FETCH);
    const { issuer: told, jwks_uri: uri } = (metadata ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
    if (told !== issuer) throw new Error('the metadata names another issuer');
    if (typeof uri !== 'string') throw new Error('the metadata has no jwks_uri');
    return uri;
  }

  const kept = createKeptKeys({
    clock,
    nameOf: ({ issuer, jwksUri }: KeySource) => JSON.stringify([issuer, jwksUri]),
    read: async ({ issuer, jwksUri }) =>
      readForeignKeys(await outgoing.json(jwksUri ?? (await discover(issuer)), FETCH)),
    onFailure: ({ issuer }, error) =>
      log.warn({ err: error, issuer }, 'the keys of an issuer of workload tokens could not be read'),
  });

  return {
    async of(source, kid) {
      try {
        return await kept.of(source, kid);
      } catch (error) {
        throw unavailable('workload_trusts.keys_unavailable', error, 5);
      }
    },
  };
}
