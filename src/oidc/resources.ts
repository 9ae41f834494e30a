import { type Client, errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import type { PosternAccount } from './claims.ts';
import { factsOf } from './client-facts.ts';
import type { AllowedPermission } from './client-source.ts';
import { assertProfileSignature } from './requests/fapi.ts';
import { assertScopeLeft, audienceOfRefresh } from './scope-left.ts';

/**
 * scope = requested ∩ what the client holds on that API ∩ what the person's roles hold (RFC 6749 section 3.3). What is
 * left out is left out in silence and the reply says what was granted; nothing left is invalid_scope.
 */
export async function getResourceServerInfo(
  ctx: KoaContextWithOIDC,
  audience: string,
  client: Client,
): Promise<ResourceServer> {
  const held = factsOf(client).permissions.filter((permission) => permission.audience === audience);
  const [first] = held;
  // An API that does not exist and one on which the client holds nothing look alike (RFC 8707 section 2).
  if (!first) throw new errors.InvalidTarget('the resource is unknown, or this client holds no permission on it');
  assertProfileSignature(client, first);

  let names = held.map((permission) => permission.name);
  const account = ctx.oidc.entities.Account as PosternAccount | undefined;
  if (ctx.oidc.route === 'token' && account) {
    names = names.filter((name) => account.record.permissions.includes(`${audience}#${name}`));
    assertScopeLeft(ctx, audience, names);
  }
  const { params } = ctx.oidc;
  if (params?.grant_type === 'client_credentials') {
    const requested = typeof params.scope === 'string' && params.scope !== '' ? params.scope.split(' ') : names;
    const granted = names.filter((name) => requested.includes(name));
    if (granted.length === 0) {
      throw new errors.InvalidScope('none of the requested scopes is assigned to this client', String(params.scope));
    }
    params.scope = granted.join(' ');
  }
  return toResourceServer(first, names);
}

/** What the tokens of an API look like; `names`: the permissions that one may hold. */
export function toResourceServer(api: AllowedPermission, names: string[]): ResourceServer {
  return {
    audience: api.audience,
    scope: names.join(' '),
    accessTokenFormat: api.tokenFormat,
    accessTokenTTL: api.tokenTtl,
    jwt: { sign: { alg: api.signingAlg } },
  };
}

/** Asked before a refresh token is spent: one that gives nothing today is good again when the roles come back. */
export async function assertRefreshGives(ctx: KoaContextWithOIDC): Promise<void> {
  const asked = audienceOfRefresh(ctx);
  if (asked) await getResourceServerInfo(ctx, asked.audience, asked.client);
}

/**
 * No `resource` was sent. A service that asks for permissions of exactly one of its APIs means that one; where several
 * could be meant it has to say which.
 */
export async function defaultResource(
  ctx: KoaContextWithOIDC,
  client: Client,
  oneOf?: readonly string[],
): Promise<string | readonly string[]> {
  if (oneOf) return oneOf.length === 1 && oneOf[0] !== undefined ? oneOf[0] : oneOf;
  const none: string[] = [];
  if (ctx.oidc.params?.grant_type !== 'client_credentials') return none;
  const { permissions } = factsOf(client);
  const { scope } = ctx.oidc.params;
  const requested = typeof scope === 'string' && scope !== '' ? scope.split(' ') : undefined;
  const meant = permissions.filter((permission) => !requested || requested.includes(permission.name));
  const audiences = [...new Set(meant.map((permission) => permission.audience))];
  const [only] = audiences;
  if (only !== undefined && audiences.length === 1) return only;
  if (audiences.length > 1) {
    throw new errors.InvalidTarget(
      'this client holds permissions on several APIs: name one with the resource parameter',
    );
  }
  throw new errors.InvalidScope('none of the requested scopes is assigned to this client', requested?.join(' ') ?? '');
}
