import type { AccessToken, Account, ClientCredentials, FindAccount, KoaContextWithOIDC } from 'oidc-provider';
import type { AccountRecord, AccountSource } from './account-source.ts';
import { factsOf } from './client-facts.ts';

/** Scope → claims (OpenID Connect Core section 5.4). */
export const CLAIMS = {
  openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
  profile: ['name', 'preferred_username', 'updated_at'],
  email: ['email'],
  roles: ['roles'],
};

export interface PosternAccount extends Account {
  record: AccountRecord;
}

export function createFindAccount(accounts: AccountSource): FindAccount {
  return async (ctx, sub, token) => {
    const client = ctx.oidc.client ?? (token as { client?: unknown } | undefined)?.client;
    const clientId = ctx.oidc.client?.clientId ?? token?.clientId;
    const record = await accounts.find(sub, clientId);
    if (!record) return undefined;
    // A token outlives neither the person's account nor, for an application of others, their consent.
    const firstParty = factsOf(client as Parameters<typeof factsOf>[0]).firstParty;
    if (token && client && !firstParty && record.consented === undefined) return undefined;
    const account: PosternAccount = {
      accountId: record.id,
      record,
      claims: () => ({
        sub: record.id,
        name: record.name,
        preferred_username: record.email,
        email: record.email,
        updated_at: Math.floor(record.updatedAt.getTime() / 1000),
        roles: record.roles,
      }),
    };
    return account;
  };
}

/** What RFC 9068 section 2.2 adds to a token that a person stands behind, and the roles for services to decide by. */
export async function extraTokenClaims(
  ctx: KoaContextWithOIDC,
  token: AccessToken | ClientCredentials,
): Promise<Record<string, unknown> | undefined> {
  if (!('accountId' in token)) {
    const { roles } = factsOf(ctx.oidc.client);
    return roles.length > 0 ? { roles } : undefined;
  }
  const { AuthorizationCode, RefreshToken, Account } = ctx.oidc.entities;
  const source = AuthorizationCode ?? RefreshToken;
  if (!source) return undefined;
  const roles = (Account as PosternAccount | undefined)?.record.roles ?? [];
  return {
    auth_time: source.authTime,
    acr: source.acr,
    amr: source.amr,
    ...(token.sid ? { sid: token.sid } : {}),
    roles,
  };
}
