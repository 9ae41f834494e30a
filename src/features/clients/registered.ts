import type { ApplicationType } from '../../kernel/application.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import type { ClientSecretMade } from '../../platform/crypto/secrets.ts';
import type { Tx } from '../../platform/db/database.ts';
import { standingOf } from './protocol.ts';
import { contradictions } from './protocol-rules.ts';
import { findProtocol, type ProtocolRow, writeKeys, writeSettings } from './protocol-store.ts';
import { redirectUriProblem } from './redirect-uri.ts';
import { type ClientRegistry, newClientId } from './registry.ts';
import * as store from './store.ts';

/** An application as it describes itself at registration; what it may be was decided before. */
export interface SelfDescribed {
  name: string;
  type: ApplicationType;
  authMethod: 'client_secret_basic' | 'private_key_jwt' | 'none';
  keys: RegisteredKeys | undefined;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  scopes: string[];
  refreshTokens: boolean;
  pushedRequests: boolean;
  dpopBound: boolean;
}

/** As it is in the registry now, whoever changed it last. */
export interface RegisteredView extends Omit<SelfDescribed, 'authMethod'> {
  authMethod: string;
  createdAt: Date;
}

/** Why a client can't make this change by itself: an admin decided otherwise. */
export type ChangeProblem = 'absent' | 'first_party' | 'type' | 'authentication' | 'switches';

/**
 * Applications that register and manage themselves (RFC 7591, RFC 7592). Everything runs inside the caller's
 * transaction, tells the caches at its commit, and leaves the audit event to the caller.
 */
export interface RegisteredApplications {
  newClientId(): string;
  uriProblem: typeof redirectUriProblem;
  /** `secret` where it is to have one. Consent is always asked. */
  add(
    tx: Tx,
    clientId: string,
    application: SelfDescribed,
    given: { secret: ClientSecretMade | undefined; permissionIds: string[] },
  ): Promise<void>;
  /** Under its lock: replaces all that it can tell of itself. `secret` counts where it had none and needs one from now on. */
  replace(
    tx: Tx,
    clientId: string,
    application: SelfDescribed,
    secret: ClientSecretMade | undefined,
  ): Promise<ChangeProblem | undefined>;
  read(tx: Tx, clientId: string): Promise<RegisteredView | undefined>;
  /** Until the transaction ends, nobody else changes it: taken before anything else of it is. */
  lock(tx: Tx, clientId: string): Promise<void>;
  /** Undefined where there is none that works. */
  remove(tx: Tx, clientId: string): Promise<{ name: string; revokedTokens: number } | undefined>;
}

export function createRegisteredApplications(deps: {
  clock: Clock;
  registry: ClientRegistry;
  revokeTokens(tx: Tx, clientId: string): Promise<number>;
}): RegisteredApplications {
  const { clock, registry } = deps;

  async function writeAuthentication(tx: Tx, clientId: string, { authMethod, keys }: SelfDescribed): Promise<void> {
    const jwks = keys && 'keys' in keys ? keys : null;
    const jwksUri = keys && 'uri' in keys ? keys.uri : null;
    await writeKeys(tx, clientId, { authMethod, jwks, jwksUri, at: clock.now() });
  }

  /** An admin's switches stay on, whatever the client asks for. */
  function settingsOf(before: ClientSettings, application: SelfDescribed): ClientSettings {
    const { noRefreshTokens: _, ...kept } = before;
    return {
      ...kept,
      ...(application.refreshTokens ? {} : { noRefreshTokens: true }),
      ...(application.pushedRequests ? { requirePushedRequests: true } : {}),
      ...(application.dpopBound ? { dpopBound: true } : {}),
    };
  }

  function problemOf(
    row: ProtocolRow,
    application: SelfDescribed,
    settings: ClientSettings,
  ): ChangeProblem | undefined {
    if (row.type !== application.type) return 'type';
    if (!['client_secret_basic', 'private_key_jwt', 'none'].includes(row.authMethod)) return 'authentication';
    const { authMethod, keys, redirectUris } = application;
    const standing = { ...standingOf(row), authMethod, hasKeys: keys !== undefined, redirectUris };
    return Object.keys(contradictions(settings, standing)).length > 0 ? 'switches' : undefined;
  }

  return {
    newClientId: () => newClientId('app'),
    uriProblem: redirectUriProblem,

    async add(tx, clientId, application, { secret, permissionIds }) {
      const { name, type, authMethod, keys, redirectUris, postLogoutRedirectUris, scopes } = application;
      const columns = { clientId, name, type, redirectUris, postLogoutRedirectUris, scopes, firstParty: false };
      const proof =
        authMethod === 'private_key_jwt' && keys ? { authMethod, keys } : { authMethod: withoutKeys(authMethod) };
      await store.insertClient(tx, { ...columns, ...proof, at: clock.now() });
      if (keys && authMethod !== 'private_key_jwt') await writeAuthentication(tx, clientId, application);
      await writeSettings(tx, clientId, settingsOf({}, application), clock.now());
      await store.replaceClientPermissions(tx, clientId, permissionIds);
      if (secret) await registry.issueSecret(tx, clientId, secret);
      await registry.touch(tx, clientId);
    },

    lock: store.lockClient,

    async replace(tx, clientId, application, secret) {
      const row = await findProtocol(tx, clientId);
      const view = row && (await store.findApplication(tx, clientId, clock.now()));
      if (!row || !view || view.disabledAt) return 'absent';
      // Nobody is asked before such an application is let in: where it leads to is an admin's decision.
      if (view.firstParty) return 'first_party';
      const settings = settingsOf(row.settings, application);
      const problem = problemOf(row, application, settings);
      if (problem) return problem;
      const { name, redirectUris, postLogoutRedirectUris, scopes, authMethod } = application;
      const columns = { name, redirectUris, postLogoutRedirectUris, scopes, firstParty: false };
      await store.updateClient(tx, clientId, { ...columns, at: clock.now() });
      if (row.authMethod !== authMethod) await store.deleteSecretsExcept(tx, clientId, undefined);
      await writeAuthentication(tx, clientId, application);
      await writeSettings(tx, clientId, settings, clock.now());
      if (row.authMethod !== authMethod && secret) await registry.issueSecret(tx, clientId, secret);
      await registry.touch(tx, clientId);
      return undefined;
    },

    async read(tx, clientId) {
      const row = await findProtocol(tx, clientId);
      const view = row && (await store.findApplication(tx, clientId, clock.now()));
      if (!row || !view) return undefined;
      const { name, type, authMethod, redirectUris, postLogoutRedirectUris, scopes, createdAt } = view;
      const { settings, jwks, jwksUri } = row;
      return {
        ...{ name, type, authMethod, redirectUris, postLogoutRedirectUris, scopes, createdAt },
        keys: jwksUri === null ? (jwks ?? undefined) : { uri: jwksUri },
        refreshTokens: settings.noRefreshTokens !== true,
        pushedRequests: settings.requirePushedRequests === true,
        dpopBound: settings.dpopBound === true,
      };
    },

    async remove(tx, clientId) {
      const view = await store.findApplication(tx, clientId, clock.now());
      if (!view || view.disabledAt) return undefined;
      const revokedTokens = await deps.revokeTokens(tx, clientId);
      return (await registry.remove(tx, clientId)) ? { name: view.name, revokedTokens } : undefined;
    },
  };
}

function withoutKeys(method: SelfDescribed['authMethod']): 'client_secret_basic' | 'none' {
  return method === 'none' ? 'none' : 'client_secret_basic';
}
