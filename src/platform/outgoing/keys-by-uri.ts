import type { Clock } from '../../kernel/clock.ts';
import { readForeignKeys } from '../crypto/foreign-key-set.ts';
import { createKeptKeys, type KeptKeys } from './kept-keys.ts';
import type { Outgoing } from './outgoing.ts';

/** Public keys that clients publish themselves (`jwks_uri`, RFC 7591 section 2). @throws `outgoing.*`, `key_set.*` */
export type KeysByUri = KeptKeys<string>;

/** A key server that is slow may not hold a token request for long. */
const LIMITS = { maxBytes: 64 * 1024, timeoutMs: 3_000 };

export function createKeysByUri(deps: { outgoing: Pick<Outgoing, 'json'>; clock: Clock }): KeysByUri {
  const { outgoing, clock } = deps;
  return createKeptKeys({
    clock,
    nameOf: (uri: string) => uri,
    read: async (uri) => readForeignKeys(await outgoing.json(uri, LIMITS)),
  });
}
