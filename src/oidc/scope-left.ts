import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';

/**
 * Of the permissions that a person's token may hold, at least one has to have been asked for and granted: a token for an
 * API that holds none of its permissions is not issued (RFC 6749 section 5.2). `names`: those that the client may ask
 * for and that the person's roles hold now. @throws InvalidScope
 */
export function assertScopeLeft(ctx: KoaContextWithOIDC, audience: string, names: readonly string[]): void {
  const { AuthorizationCode, RefreshToken, Grant } = ctx.oidc.entities;
  const source = AuthorizationCode ?? RefreshToken;
  if (!source || !Grant) return;
  const asked = RefreshToken && ctx.oidc.params?.scope ? ctx.oidc.requestParamScopes : source.scopes;
  const within = new Set([...asked].filter((name) => names.includes(name)));
  if (Grant.getResourceScopeFiltered(audience, within) !== '') return;
  const reason = 'nothing of what was asked for on this API is left to the client and the person';
  throw new errors.InvalidScope(reason, [...asked].join(' '));
}

/** The API that a refresh is for, where it is plain to see: the library finds out only after it has spent the token. */
export function audienceOfRefresh(ctx: KoaContextWithOIDC): { audience: string; client: Client } | undefined {
  const { RefreshToken } = ctx.oidc.entities;
  const [audience, ...others] = [ctx.oidc.params?.resource ?? RefreshToken?.resource ?? []].flat();
  const { client } = ctx.oidc;
  return client && typeof audience === 'string' && others.length === 0 ? { audience, client } : undefined;
}
