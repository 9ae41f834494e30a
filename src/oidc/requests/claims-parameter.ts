import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { isDeeperThan } from '../../kernel/detail-schema.ts';
import { factsOf } from '../client-facts.ts';

/** What the specification says about one claim needs four levels. Beyond any need, nested text can't be stored. */
const DEEPEST = 10;

/**
 * `claims` (OpenID Connect Core section 5.5) is for clients that an admin let use it. It is refused, and not ignored: a
 * client that asks for an essential `acr` must not take an answer without it for a promise.
 */
export function assertClaimsParameter(_ctx: KoaContextWithOIDC, claims: unknown, client: Client): void {
  if (!factsOf(client).settings.claimsParameter) {
    throw new errors.InvalidRequest('the claims parameter is not switched on for this client');
  }
  if (isDeeperThan(claims, DEEPEST)) throw new errors.InvalidRequest('the claims parameter is nested too deeply');
}
