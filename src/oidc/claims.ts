import type { AccessToken, Account, ClientCredentials, FindAccount, KoaContextWithOIDC } from 'oidc-provider';
import { accessTokenClaims } from './access-token-claims.ts';
import type { AccountRecord } from './account-row.ts';
import type { AccountSource } from './account-source.ts';
import { factsOf } from './client-facts.ts';
import type { ClientFacts } from './client-source.ts';
import { exchangeOf } from './exchange-note.ts';
import { exchangedClaims } from './grant-types/exchange-claims.ts';
import { grantSourceOf } from './scope-left.ts';

/** Scope → claims (OpenID Connect Core section 5.4). */
export const CLAIMS = {
  openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
  profile: ['name', 'preferred_username', 'updated_at'],
  email: ['email'],
  roles: ['roles'],
  groups: ['groups'],
};

export interface PosternAccount extends Account {
  record: AccountRecord;
}

/** All that there is to say of a person; what is said depends on the scope. */
export function personClaims(record: AccountRecord): { sub: string; [name: string]: unknown } {
  return {
    sub: record.id,
    name: record.name,
    preferred_username: record.email,
    email: record.email,
    updated_at: Math.floor(record.updatedAt.getTime() / 1000),
    roles: record.roles,
    groups: record.groups,
  };
}

/** A token outlives neither the person's account nor, for an application of others, their consent. */
export function maySpeakOf(record: AccountRecord, { firstParty }: Pick<ClientFacts, 'firstParty'>): boolean {
  return firstParty || record.consented !== undefined;
}

export function createFindAccount(accounts: AccountSource): FindAccount {
  return async (ctx, sub, token) => {
    const client = ctx.oidc.client ?? (token as { client?: unknown } | undefined)?.client;
    const clientId = ctx.oidc.client?.clientId ?? token?.clientId;
    const record = await accounts.find(sub, clientId);
    if (!record) return undefined;
    if (token && client && !maySpeakOf(record, factsOf(client as Parameters<typeof factsOf>[0]))) return undefined;
    const account: PosternAccount = {
      accountId: record.id,
      record,
      claims: () => personClaims(record),
    };
    return account;
  };
}

/** What RFC 9068 section 2.2 adds to a token that a person stands behind, and what services decide by. */
export async function extraTokenClaims(
  ctx: KoaContextWithOIDC,
  token: AccessToken | ClientCredentials,
): Promise<Record<string, unknown> | undefined> {
  const exchange = exchangeOf(ctx);
  if (exchange && ctx.oidc.client) return exchangedClaims(exchange, ctx.oidc.client, token);
  const { Account } = ctx.oidc.entities;
  const account = 'accountId' in token ? (Account as PosternAccount | undefined)?.record : undefined;
  const claims = claimsOfApi(ctx, token, account);
  if (!('accountId' in token)) return claims;
  const source = grantSourceOf(ctx);
  if (!source) return claims;
  return {
    ...claims,
    auth_time: source.authTime,
    acr: source.acr,
    amr: source.amr,
    ...(token.sid ? { sid: token.sid } : {}),
  };
}

/** None for a token that belongs to no API: it opens userinfo, which says what its scope allows. */
function claimsOfApi(
  ctx: KoaContextWithOIDC,
  token: AccessToken | ClientCredentials,
  account: AccountRecord | undefined,
): Record<string, unknown> | undefined {
  const { client } = ctx.oidc;
  const audience = token.resourceServer?.identifier();
  const facts = factsOf(client);
  const profile = facts.permissions.find((permission) => permission.audience === audience)?.claimProfile;
  if (!client || audience === undefined || profile === undefined) return undefined;
  const granted = [...token.scopes];
  return accessTokenClaims({ clientId: client.clientId, client: facts, account, audience, granted, profile });
}
