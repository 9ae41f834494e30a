import type { ClaimProfile } from '../kernel/access-token.ts';
import type { AccountRecord } from './account-row.ts';
import type { ClientFacts } from './client-source.ts';

/** The most entries that one list in a token has: a token has to fit into a header. */
export const MOST_ENTRIES = 100;

/** What an access token for one API is made for. */
export interface ClaimsFor {
  clientId: string;
  client: ClientFacts;
  /** The person behind it; absent where the client's own service account stands there. */
  account?: Pick<AccountRecord, 'email' | 'roles' | 'groups' | 'permissions'> | undefined;
  audience: string;
  /** Names of the permissions that the token holds: its scope. */
  granted: readonly string[];
  profile: ClaimProfile;
}

type Claims = Record<string, unknown>;

/**
 * The claims of an access token that say what its subject may do (RFC 9068 section 2.2.3.1): `roles`, `groups` and
 * `entitlements` (the permissions on this API that the subject holds and that the client may ask for, granted or not),
 * and beside them those of the API's profile. Lists are sorted; an empty one is left out; one that was cut is named by
 * `truncated`. Both ways of issuing a token, the library's and ours, take them from here.
 */
export function accessTokenClaims(about: ClaimsFor): Claims {
  const { client, account, audience } = about;
  const allowed = client.permissions
    .filter((permission) => permission.audience === audience)
    .map((permission) => permission.name);
  const entitlements = account
    ? allowed.filter((name) => account.permissions.includes(`${audience}#${name}`))
    : allowed;
  const { roles, groups } = account ?? client;
  const cut: string[] = [];
  const list = (claim: string, values: readonly string[]): string[] => {
    if (values.length > MOST_ENTRIES && !cut.includes(claim)) cut.push(claim);
    return [...values].sort().slice(0, MOST_ENTRIES);
  };
  const standard = filled({
    roles: list('roles', roles),
    groups: list('groups', groups),
    entitlements: list('entitlements', entitlements),
  });
  const added = PROFILES[about.profile](about, list);
  // In this order: no profile takes the place of a claim of RFC 9068.
  return { ...added, ...standard, ...(cut.length > 0 ? { truncated: cut } : {}) };
}

function filled(lists: Record<string, string[]>): Claims {
  return Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0));
}

type Cut = (claim: string, values: readonly string[]) => string[];

/** What the libraries and policies of those who come from another product look for. */
const PROFILES: Record<ClaimProfile, (about: ClaimsFor, list: Cut) => Claims> = {
  standard: () => ({}),

  keycloak: ({ clientId, client, account, audience, granted }, list) => ({
    azp: clientId,
    realm_access: { roles: list('realm_access', (account ?? client).roles) },
    resource_access: { [audience]: { roles: list('resource_access', granted) } },
    ...(account ? { preferred_username: account.email } : {}),
  }),

  auth0: ({ clientId, account, granted }, list) => ({
    azp: clientId,
    permissions: list('permissions', granted),
    ...(account ? {} : { gty: 'client-credentials' }),
  }),
};
