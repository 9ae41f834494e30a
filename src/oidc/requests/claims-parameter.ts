import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { factsOf } from '../client-facts.ts';

/**
 * `claims` (OpenID Connect Core section 5.5) is for clients that an admin let use it. It is refused, and not ignored: a
 * client that asks for an essential `acr` must not take an answer without it for a promise.
 */
export function assertClaimsParameter(_ctx: KoaContextWithOIDC, _claims: unknown, client: Client): void {
  if (factsOf(client).settings.claimsParameter) return;
  throw new errors.InvalidRequest('the claims parameter is not switched on for this client');
}
