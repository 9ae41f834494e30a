import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { factsOf } from '../client-facts.ts';
import type { AllowedPermission } from '../client-source.ts';

/** FAPI 2.0 Security Profile section 5.4.1: the signatures that may be made and read. Both names mean Ed25519. */
export const FAPI_ALGORITHMS: readonly string[] = ['ES256', 'PS256', 'EdDSA', 'Ed25519'];

export function isFapi(client: Client | undefined): boolean {
  return factsOf(client).settings.fapi === true;
}

/** For the library's own option: which profile a request is held to. */
export function fapiProfile(_ctx: KoaContextWithOIDC, client: Client | undefined): '2.0' | undefined {
  return isFapi(client) ? '2.0' : undefined;
}

/** What is wrong with the algorithm of a signature that this client made, or undefined. */
export function fapiAlgorithmProblem(client: Client, alg: unknown): string | undefined {
  if (!isFapi(client) || FAPI_ALGORITHMS.includes(String(alg))) return undefined;
  return 'this client may sign with ES256, PS256 or Ed25519 only';
}

/** An API whose JWTs are signed with RS256 is out of reach for clients under the profile (section 5.4.1). */
export function assertProfileSignature(client: Client, api: AllowedPermission): void {
  if (!isFapi(client) || api.tokenFormat !== 'jwt' || FAPI_ALGORITHMS.includes(api.signingAlg)) return;
  throw new errors.InvalidTarget(`tokens of this API are signed with ${api.signingAlg}, which FAPI 2.0 does not allow`);
}

/**
 * Refresh tokens stay as they are under the profile (FAPI 2.0 Security Profile section 5.3.2.1): they are bound to the
 * client's key, and rotation only loses them to a reply that did not arrive. All others rotate (RFC 9700 section 4.14.2).
 */
export function rotatesRefreshToken(ctx: KoaContextWithOIDC): boolean {
  return !isFapi(ctx.oidc.client);
}
