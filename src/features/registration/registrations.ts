import type { ApplicationType } from '../../kernel/application.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { changeEvent } from '../../platform/audit/change.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import { describeKey, type RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import type { ClientSecretMade } from '../../platform/crypto/secrets.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { type DescribedApplication, type MetadataRefusal, readMetadata, type ToldMetadata } from './metadata.ts';
import type { RegistrationPolicy } from './policy.ts';
import * as store from './store.ts';

type Metadata = Record<string, unknown>;
type Described = Omit<DescribedApplication, 'told'>;
type RegisteredNow = Omit<Described, 'authMethod'> & { authMethod: string; createdAt: Date };

export interface RegistrationNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  /** Why nothing can be asked of an address, as an error code. */
  addressProblem(url: string): string | undefined;
  clients: {
    newClientId(): string;
    uriProblem(type: ApplicationType, uri: string): string | undefined;
    add(
      tx: Tx,
      clientId: string,
      application: Described,
      given: { secret: ClientSecretMade | undefined; permissionIds: string[] },
    ): Promise<void>;
    /** Why it can't be so changed, as a word. */
    replace(
      tx: Tx,
      clientId: string,
      application: Described,
      secret: ClientSecretMade | undefined,
    ): Promise<string | undefined>;
    read(tx: Tx, clientId: string): Promise<RegisteredNow | undefined>;
    /** Nobody else changes it until the transaction ends. */
    lock(tx: Tx, clientId: string): Promise<void>;
    remove(tx: Tx, clientId: string): Promise<{ name: string; revokedTokens: number } | undefined>;
  };
}

interface Made {
  clientId: string;
  accessToken: string;
  secret: ClientSecretMade | undefined;
  request: RequestInfo | undefined;
}

type Answered<T> = { metadata: Metadata; complete(made: Made): Promise<T> };

/** Applications that register, read, change and remove themselves (RFC 7591, RFC 7592). */
export interface Registrations {
  newClientId(): string;
  /** Undefined: no such token, or it has ended. */
  withInitialToken(
    token: string,
  ): Promise<{ describe(given: Metadata): Answered<Metadata | undefined> | MetadataRefusal } | undefined>;
  withAccessToken(token: string): Promise<
    | {
        clientId: string;
        read(): Promise<Metadata | undefined>;
        describe(given: Metadata): Answered<Metadata | MetadataRefusal | undefined> | MetadataRefusal;
        remove(request: RequestInfo | undefined): Promise<boolean>;
      }
    | undefined
  >;
  /** null: an admin registered it. */
  of(clientId: string): Promise<store.RegistrationRow | null>;
  /** Which of these clients registered themselves. */
  among(clientIds: readonly string[]): Promise<Set<string>>;
}

/** RFC 7591 section 3.2.2, for what an admin decided otherwise. */
const CHANGE_PROBLEMS: Record<string, string> = {
  first_party: 'client_id belongs to an application that administrators change',
  type: 'application_type and token_endpoint_auth_method can not make it another type of application',
  authentication: 'token_endpoint_auth_method was set by an administrator',
  switches: 'token_endpoint_auth_method, keys or redirect_uris are weaker than what an administrator demands',
};

/** Thrown to roll back: somebody else was first. */
class Lost extends Error {}

export function createRegistrations(needs: RegistrationNeeds): Registrations {
  const { db, audit, clock, clients } = needs;
  const rules = { uriProblem: clients.uriProblem, addressProblem: needs.addressProblem };

  async function answerOf(tx: Tx, clientId: string): Promise<Metadata | undefined> {
    const now = await clients.read(tx, clientId);
    const row = now && (await store.findRegistration(tx, clientId));
    return now && row ? { client_id: clientId, ...issued(row), ...metadataOf(now), ...row.told } : undefined;
  }

  /** The client is its own author; which token let it in stands in the data. */
  const record = (
    tx: Tx,
    verb: string,
    client: { clientId: string; name: string },
    request: RequestInfo | undefined,
    data: Metadata,
  ) => {
    const { clientId: id, name } = client;
    const origin = { by: { type: 'client' as const, id, name }, ...(request && { request }) };
    const target = { type: 'client', id, name };
    return audit.in(tx, changeEvent(origin, { action: `client.${verb}`, target, clientId: id, data }));
  };

  function describe(given: Metadata, policy: RegistrationPolicy) {
    const read = readMetadata(given, policy, rules);
    if ('error' in read) return read;
    const { told, ...application } = read;
    return { told, application, metadata: { ...metadataOf(application), ...told } };
  }

  async function unlessLost<T>(work: (tx: Tx) => Promise<T>): Promise<T | undefined> {
    try {
      return await db.tx(work);
    } catch (error) {
      if (error instanceof Lost) return undefined;
      throw error;
    }
  }

  return {
    newClientId: clients.newClientId,
    of: (clientId) => store.findRegistration(db.prisma, clientId),
    among: (clientIds) => store.selfRegistered(db.prisma, clientIds),

    async withInitialToken(token) {
      const initial = await store.findUsableToken(db.prisma, sha256(token), clock.now());
      if (!initial) return undefined;
      const { id, name, policy } = initial;
      return {
        describe(given) {
          const described = describe(given, policy);
          if ('error' in described) return described;
          const { application, told, metadata } = described;
          return {
            metadata,
            complete: ({ clientId, accessToken, secret, request }) =>
              unlessLost(async (tx) => {
                const at = clock.now();
                if (!(await store.takeUse(tx, id, at))) throw new Lost();
                // One that was deleted since the token was made is none to give.
                const permissionIds = await store.permissionIds(tx, policy.permissions);
                await clients.add(tx, clientId, application, { secret, permissionIds });
                const hash = sha256(accessToken);
                await store.insertRegistration(tx, { clientId, initialTokenId: id, policy, told, hash, at });
                await record(tx, 'register', { clientId, name: application.name }, request, {
                  initialAccessToken: { id, name },
                  ...toldToLog(application, told),
                  permissions: policy.permissions,
                  ...(secret && { secretPrefix: secret.prefix }),
                });
                return await answerOf(tx, clientId);
              }),
          };
        },
      };
    },

    async withAccessToken(token) {
      const hash = sha256(token);
      const row = await store.findByAccessToken(db.prisma, hash);
      if (!row) return undefined;
      const { clientId, policy } = row;
      return {
        clientId,
        read: () => answerOf(db.prisma, clientId),

        describe(given) {
          const described = describe(given, policy);
          if ('error' in described) return described;
          const { application, told, metadata } = described;
          return {
            metadata,
            complete: ({ accessToken, secret, request }) =>
              unlessLost(async (tx) => {
                const to = sha256(accessToken);
                const at = clock.now();
                await clients.lock(tx, clientId);
                if (!(await store.replaceRegistration(tx, { clientId, from: hash, to, told, at }))) throw new Lost();
                const before = await clients.read(tx, clientId);
                const problem = await clients.replace(tx, clientId, application, secret);
                if (problem === 'absent' || !before) throw new Lost();
                if (problem !== undefined) throw new Unfit(problem);
                const data = { before: toldToLog(before, row.told), after: toldToLog(application, told) };
                const changes = before.authMethod !== application.authMethod;
                const issuedSecret = changes && application.authMethod === 'client_secret_basic' ? secret : undefined;
                await record(tx, 'registration_update', { clientId, name: application.name }, request, {
                  ...data,
                  ...(issuedSecret && { secretPrefix: issuedSecret.prefix }),
                });
                return await answerOf(tx, clientId);
              }).catch((error: unknown) => {
                if (!(error instanceof Unfit)) throw error;
                const description = CHANGE_PROBLEMS[error.message] ?? 'the change is not allowed';
                return { error: 'invalid_client_metadata', description } as const;
              }),
          };
        },

        async remove(request) {
          const removed = await unlessLost(async (tx) => {
            await clients.lock(tx, clientId);
            if (!(await store.lockRegistration(tx, clientId, hash))) throw new Lost();
            const gone = await clients.remove(tx, clientId);
            if (!gone) throw new Lost();
            const { name, revokedTokens } = gone;
            await record(tx, 'registration_delete', { clientId, name }, request, { revokedTokens });
            return true;
          });
          return removed === true;
        },
      };
    },
  };
}

/** Thrown to roll back: the reason is its message. */
class Unfit extends Error {}

function issued({ createdAt }: store.RegistrationRow): Metadata {
  return { client_id_issued_at: Math.floor(createdAt.getTime() / 1000) };
}

/** An application in the words of RFC 7591 section 2 and its successors. */
function metadataOf(application: Omit<RegisteredNow, 'createdAt'>): Metadata {
  const { name, type, authMethod, keys, redirectUris, postLogoutRedirectUris, scopes } = application;
  return {
    client_name: name,
    application_type: type === 'native' ? 'native' : 'web',
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    response_types: ['code'],
    grant_types: application.refreshTokens ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    scope: scopes.join(' '),
    token_endpoint_auth_method: authMethod,
    ...(keys ? ('uri' in keys ? { jwks_uri: keys.uri } : { jwks: keys }) : {}),
    subject_type: 'public',
    id_token_signed_response_alg: 'ES256',
    require_pushed_authorization_requests: application.pushedRequests,
    dpop_bound_access_tokens: application.dpopBound,
  };
}

/** What the audit log keeps: keys by their thumbprints. */
function toldToLog(application: Omit<RegisteredNow, 'createdAt'>, told: ToldMetadata): Metadata {
  const { jwks: _, ...metadata } = metadataOf(application);
  return { ...metadata, ...told, ...keysToLog(application.keys) };
}

function keysToLog(keys: RegisteredKeys | undefined): Metadata {
  if (!keys || 'uri' in keys) return {};
  return { keys: keys.keys.map(describeKey).map(({ kid, thumbprint }) => ({ kid, thumbprint })) };
}
