import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';

/** What a person's tokens are made from in this request. */
export function grantSourceOf(ctx: KoaContextWithOIDC) {
  const { AuthorizationCode, RefreshToken, BackchannelAuthenticationRequest } = ctx.oidc.entities;
  return AuthorizationCode ?? RefreshToken ?? BackchannelAuthenticationRequest;
}

/**
 * Of the permissions that a person's token may hold, at least one has to have been asked for and granted: a token for an
 * API that holds none of its permissions is not issued (RFC 6749 section 5.2). `names`: those that the client may ask
 * for and that the person's roles hold now. @throws InvalidScope
 */
export function assertScopeLeft(ctx: KoaContextWithOIDC, audience: string, names: readonly string[]): void {
  const { RefreshToken, Grant } = ctx.oidc.entities;
  const source = grantSourceOf(ctx);
  if (!source || !Grant) return;
  const asked = RefreshToken && ctx.oidc.params?.scope ? ctx.oidc.requestParamScopes : source.scopes;
  const within = new Set([...asked].filter((name) => names.includes(name)));
  if (Grant.getResourceScopeFiltered(audience, within) !== '') return;
  const reason = 'nothing of what was asked for on this API is left to the client and the person';
  throw new errors.InvalidScope(reason, [...asked].join(' '));
}

/**
 * The API that a refresh is for, where it is for one: the library finds out only after it has spent the token.
 * @throws InvalidTarget where the refresh token is not for it, or where more than one could be meant
 */
export function audienceOfRefresh(ctx: KoaContextWithOIDC): { audience: string; client: Client } | undefined {
  const { RefreshToken } = ctx.oidc.entities;
  const granted = [RefreshToken?.resource ?? []].flat();
  const [audience, ...others] = [ctx.oidc.params?.resource ?? granted].flat();
  const { client } = ctx.oidc;
  if (others.length > 0) throw new errors.InvalidTarget('name exactly one resource');
  if (!client || typeof audience !== 'string') return undefined;
  if (!granted.includes(audience)) throw new errors.InvalidTarget('the refresh token is not for this resource');
  return { audience, client };
}
