import type { UserAdmin } from '../features/accounts/admin-service.ts';
import type { Events } from '../features/audit-trail/module.ts';
import type { InitialTokenInput, TokenState } from '../features/registration/initial-tokens.ts';
import type { InitialTokenRow } from '../features/registration/store.ts';
import type { TeamListItem } from '../features/teams/store.ts';
import type { Revocation } from '../features/tokens/revoke-all.ts';
import type { Tokens } from '../features/tokens/service.ts';
import type { TrustInput } from '../features/workload-trusts/schema.ts';
import type { TrustRow } from '../features/workload-trusts/store.ts';
import type { ClaimProfile, SigningAlg, TokenFormat } from '../kernel/access-token.ts';
import type { ClientSettings } from '../kernel/client-settings.ts';
import type { ChangeBy } from '../platform/audit/change.ts';

/** An API permission written as AUDIENCE#NAME, which is also how a command names it. */
export type PermissionRef = string;

export interface NewClient {
  name: string;
  type: 'web' | 'spa' | 'native';
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  /** OpenID Connect scopes. */
  scopes: string[];
  permissions: PermissionRef[];
  firstParty: boolean;
}

export interface ServiceAccountView {
  id: string;
  clientId: string;
  name: string;
  createdAt: Date;
  disabledAt: Date | null;
}

export type RegistrationTokenView = InitialTokenRow & { state: TokenState };

/** `public` part of a signing key; never the private one. */
export interface KeyView {
  kid: string;
  alg: string;
  status: string;
  createdAt: Date;
  activatedAt: Date | null;
  retiresAt: Date | null;
}

/**
 * What the commands need. Every change writes its audit event in its own transaction. Service accounts are named by
 * id, client id or name; an unknown one throws AppError('not_found', 404).
 */
export interface Services {
  /** The absolute address of the setup page with its token; null once an admin exists. */
  setupLink(): Promise<string | null>;
  users: UserAdmin;
  events: Events;
  tokens: Pick<Tokens & Revocation, 'list' | 'revokeAll'>;
  apis: {
    create(
      input: {
        audience: string;
        name?: string;
        permissions: { name: string; description: string }[];
        tokenFormat: TokenFormat;
        signingAlg: SigningAlg;
        claimProfile: ClaimProfile;
      },
      by: ChangeBy,
    ): Promise<{ id: string; audience: string; permissions: string[] }>;
    /** `schema`: JSON text. @throws invalid_input, AppError('apis.not_found', 404) */
    addDetailType(
      audience: string,
      input: { type: string; description: string; schema: string },
      by: ChangeBy,
    ): Promise<void>;
  };
  roles: {
    create(
      /** `includes`: names of roles. */
      input: { name: string; description: string; permissions: PermissionRef[]; includes: string[] },
      by: ChangeBy,
    ): Promise<{ id: string; name: string; permissions: PermissionRef[]; includes: string[] }>;
    /** `expires`: ISO 8601; giving it again changes the end. */
    assignToServiceAccount(role: string, serviceAccount: string, by: ChangeBy, expires?: string): Promise<void>;
    assignToTeam(role: string, team: string, by: ChangeBy, expires?: string): Promise<void>;
  };
  /** Teams are named by id or name; an unknown one throws AppError('teams.not_found', 404). */
  teams: {
    create(
      input: { name: string; description: string; parent?: string },
      by: ChangeBy,
    ): Promise<{ id: string; name: string }>;
    /** A person by e-mail address or id, or a service account. False where it is a member already. */
    add(team: string, member: { user: string } | { serviceAccount: string }, by: ChangeBy): Promise<boolean>;
    /** All of them, newest first, read in batches. */
    list(): AsyncIterable<TeamListItem>;
  };
  serviceAccounts: {
    create(
      /** `owner`: name of a team. */
      input: { name: string; description: string; permissions: PermissionRef[]; owner?: string; contact?: string } & (
        | { auth: 'secret' }
        /** `jwks`: the text of a JWK Set; `jwksUri`: where it stands instead. */
        | { auth: 'private_key_jwt'; jwks?: string | undefined; jwksUri?: string | undefined }
        /** `certificateKind`: what `certificate` is, a name or PEM text. */
        | { auth: 'certificate'; certificateKind: string; certificate: string }
      ),
      by: ChangeBy,
    ): Promise<{ id: string; clientId: string; clientSecret?: string }>;
    /** @throws AppError('service_accounts.uses_keys', 409) */
    rotateSecret(
      account: string,
      /** How long the current one goes on working. */
      overlapSeconds: number,
      by: ChangeBy,
    ): Promise<{ id: string; clientId: string; clientSecret: string }>;
    /** False where nothing changed. `audience`: of an API. @throws invalid_input */
    allowExchange(account: string, audience: string, by: ChangeBy): Promise<boolean>;
    denyExchange(account: string, audience: string, by: ChangeBy): Promise<boolean>;
    /** All of them, newest first, read in batches. */
    list(): AsyncIterable<ServiceAccountView>;
    /** Switches that are left out stay. */
    setProtocol(
      account: string,
      switches: Record<string, boolean | string>,
      by: ChangeBy,
    ): Promise<{ id: string; clientId: string; settings: ClientSettings }>;
    disable(account: string, by: ChangeBy): Promise<ServiceAccountView>;
    enable(account: string, by: ChangeBy): Promise<ServiceAccountView>;
    delete(account: string, by: ChangeBy): Promise<ServiceAccountView>;
  };
  /** Trusted workloads; those that change one throw AppError('workload_trusts.not_found', 404). */
  trusts: {
    create(serviceAccount: string, input: TrustInput, by: ChangeBy): Promise<TrustRow>;
    /** Oldest first; of one account, or all. */
    list(serviceAccount?: string): Promise<TrustRow[]>;
    disable(id: string, by: ChangeBy): Promise<TrustRow>;
    enable(id: string, by: ChangeBy): Promise<TrustRow>;
    delete(id: string, by: ChangeBy): Promise<TrustRow>;
  };
  /** Tokens that let applications register themselves. */
  registrationTokens: {
    /** `token` in clear, this once. @throws invalid_input */
    create(input: InitialTokenInput, by: ChangeBy): Promise<RegistrationTokenView & { token: string }>;
    /** All of them, newest first, read in batches. */
    list(): AsyncIterable<RegistrationTokenView>;
    /** @throws registration.not_found, registration.ended */
    revoke(id: string, by: ChangeBy): Promise<RegistrationTokenView>;
  };
  clients: {
    create(input: NewClient, by: ChangeBy): Promise<{ clientId: string; clientSecret?: string }>;
    /**
     * `jwks`: the text of a JWK Set. `auth` changes how it proves itself: private_key_jwt needs `jwks` in the same call
     * or from before. Switches that are left out stay.
     */
    set(
      clientId: string,
      change: {
        auth?: 'secret' | 'private_key_jwt';
        jwks?: string;
        /** `authorizationDetailTypes` is all of them. */
        switches: Record<string, boolean | string[]>;
      },
      by: ChangeBy,
    ): Promise<{ clientId: string; clientSecret?: string; settings: ClientSettings }>;
  };
  keys: {
    list(): Promise<KeyView[]>;
    /** The next key signs from now on; the one before stays published until its last token has expired. @throws signing_keys.too_soon */
    rotate(by: ChangeBy, alg: SigningAlg): Promise<KeyView[]>;
    /** This key leaked. @throws invalid_input, signing_keys.not_found, signing_keys.ended */
    revoke(
      by: ChangeBy,
      leaked: { kid: string; reason: string },
    ): Promise<{ kid: string; alg: string; was: string; successor: string | undefined; tokens: number }>;
  };
  close(): Promise<void>;
}
