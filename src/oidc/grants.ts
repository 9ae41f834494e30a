import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import { CLAIMS, type PosternAccount } from './claims.ts';
import { factsOf } from './client-facts.ts';
import { expectNewGrant } from './request-writes.ts';

export interface AskedFor {
  oidcScopes: string[];
  /** Of the claims that the `claims` parameter names one by one, those that these scopes give (and so, consent). */
  claims: string[];
  otherClaims: string[];
  /** audience → permissions that the client may ask for and the person holds. */
  permissions: Map<string, string[]>;
  /** audience → permissions that were asked for and that the person's roles do not hold. */
  withheld: Map<string, string[]>;
}

function askedFor(ctx: KoaContextWithOIDC, account: PosternAccount): AskedFor {
  const permissions = new Map<string, string[]>();
  const withheld = new Map<string, string[]>();
  for (const [audience, server] of Object.entries(ctx.oidc.resourceServers ?? {})) {
    const requested = [...ctx.oidc.requestParamScopes].filter((scope) => server.scopes.has(scope));
    const held = (name: string) => account.record.permissions.includes(`${audience}#${name}`);
    permissions.set(audience, requested.filter(held));
    withheld.set(
      audience,
      requested.filter((name) => !held(name)),
    );
  }
  const oidcScopes = [...ctx.oidc.requestParamOIDCScopes];
  const given = new Set(oidcScopes.flatMap((scope) => (CLAIMS as Record<string, string[]>)[scope] ?? []));
  const named = [...ctx.oidc.requestParamClaims];
  return {
    oidcScopes,
    claims: named.filter((claim) => given.has(claim)),
    otherClaims: named.filter((claim) => !given.has(claim)),
    permissions,
    withheld,
  };
}

function isConsented(asked: AskedFor, consented: string[]): boolean {
  const given = new Set(consented);
  return (
    asked.oidcScopes.every((scope) => given.has(scope)) &&
    [...asked.permissions].every(([audience, names]) => names.every((name) => given.has(`${audience}#${name}`)))
  );
}

/** What was asked for and may be had; what is withheld is written down as such. */
export function giveTo(grant: Grant, asked: AskedFor): void {
  if (asked.oidcScopes.length > 0) grant.addOIDCScope(asked.oidcScopes.join(' '));
  if (asked.claims.length > 0) grant.addOIDCClaims(asked.claims);
  if (asked.otherClaims.length > 0) grant.rejectOIDCClaims(asked.otherClaims);
  for (const [audience, names] of asked.permissions) {
    if (names.length > 0) grant.addResourceScope(audience, names.join(' '));
  }
  for (const [audience, names] of asked.withheld) {
    if (names.length > 0) grant.rejectResourceScope(audience, names.join(' '));
  }
}

/**
 * The grant behind the tokens of one client in one session, made from the person's consent (which is kept apart, so
 * that signing out of one browser leaves the others alone). Undefined where the person has to be asked first.
 */
export async function loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { client, session, provider } = ctx.oidc;
  const account = ctx.oidc.account as PosternAccount | undefined;
  if (!client || !session || !account) return undefined;

  const asked = askedFor(ctx, account);
  if (!factsOf(client).firstParty && !isConsented(asked, account.record.consented ?? [])) return undefined;

  const known = session.grantIdFor(client.clientId);
  const found = known ? await provider.Grant.find(known) : undefined;
  const usable = found?.accountId === account.accountId && found.clientId === client.clientId ? found : undefined;
  const grant = usable ?? new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  const before = JSON.stringify([grant.openid, grant.resources, grant.rejected]);

  // Roles may have come or gone since the grant was made: what is withheld is decided anew each time.
  Reflect.deleteProperty(grant, 'rejected');
  giveTo(grant, asked);
  if (!usable) expectNewGrant(ctx);
  if (!usable || before !== JSON.stringify([grant.openid, grant.resources, grant.rejected])) await grant.save();
  return grant;
}
