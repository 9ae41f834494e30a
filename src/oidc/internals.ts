import { timingSafeEqual } from 'node:crypto';
import type Provider from 'oidc-provider';
import { type AdapterPayload, type Client, errors } from 'oidc-provider';
import type { Clock } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import { sha256 } from '../platform/crypto/digest.ts';
import type { PublicKey } from '../platform/crypto/public-key-set.ts';
import type { Database } from '../platform/db/database.ts';
import { withoutMutualTls } from './client-auth/certificate-metadata.ts';
import { type KeySource, reasonOf, signedBy, withKeys } from './client-auth/keys-by-uri.ts';
import type { LastUse } from './client-auth/last-use.ts';
import { attachFacts } from './client-facts.ts';
import type { ClientRecord, ClientSource } from './client-source.ts';
import { requestOf } from './request-of.ts';
import { takeEnd, takeGrant } from './request-writes.ts';
import { assertFlat } from './requests/nesting.ts';
import type { SessionStore } from './session-store.ts';
import { claimJti } from './token-store.ts';

/**
 * The one file that reaches into the library. Each override says what it replaces; a contract test holds it to what
 * the pages and endpoints need, so that an update that changes the library's inside is noticed.
 */

interface LibrarySession {
  jti: string;
  exp?: number;
  oldId?: string | undefined;
  touched: boolean;
  authorizations?: Record<string, unknown>;
  getValueAndPayload(): Promise<{ payload: AdapterPayload }>;
}

interface Internals {
  Client: { new (metadata: unknown): Client; find(id: unknown): Promise<Client | undefined>; prototype: Client };
  ReplayDetection: { unique(iss: string, jti: string, exp: number): Promise<boolean> };
  Session: { prototype: { save(this: LibrarySession, ttl: number): Promise<string> } };
  constructor: {
    ctx?: Parameters<typeof requestOf>[0] & {
      oidc?: {
        route?: string;
        params?: Record<string, unknown>;
        body?: Record<string, unknown>;
        entity(name: 'Client', client: Client): void;
      };
    };
  };
}

/**
 * `clientSecret` holds digests (see client-source.ts): compares in constant time with every live one, and answers the
 * one (in hex) that matched. Which of them did, and whether one did, takes the same work.
 */
export function matchingDigest(stored: string | undefined, presented: string, now: number): string | undefined {
  const actual = sha256(presented);
  let matched: string | undefined;
  for (const entry of (stored ?? '').split(',')) {
    const [, hex = '', expires = ''] = entry.split(':');
    const expected = Buffer.from(hex, 'hex');
    const equal = expected.length === actual.length && timingSafeEqual(expected, actual);
    const counts = equal && (expires === '' || Number(expires) > now);
    matched = counts ? hex : matched;
  }
  return matched;
}

const NO_KEYS: PublicKey[] = [];

/** Endpoints at which each request of a client counts against its limit. */
const LIMITED = new Set(['token', 'pushed_authorization_request', 'backchannel_authentication']);

export function override(
  provider: Provider,
  deps: {
    db: Database;
    clock: Clock;
    clients: ClientSource;
    sessions: SessionStore;
    clientLimit: { take(key: string): Promise<void> };
    lastUse: Pick<LastUse, 'secret'>;
    keySource: KeySource;
    /** Certificates are looked at. */
    mutualTls: boolean;
  },
): void {
  const { db, clock, clients, sessions, clientLimit, lastUse, keySource } = deps;
  const inside = provider as unknown as Internals;
  const seconds = () => Math.floor(clock.now().getTime() / 1000);

  // Client.find: the library would ask the adapter each time and hash the answer into a cache of 100. The instances
  // are kept beside the source's own records and go when those change.
  const instances = new WeakMap<object, { client: Client; keys: PublicKey[] | undefined }>();

  function instanceOf(record: ClientRecord, keys: PublicKey[] | undefined): Client {
    const known = instances.get(record);
    if (known && known.keys === keys) return known.client;
    const metadata = keys ? withKeys(record.metadata, keys) : record.metadata;
    const client = new inside.Client(deps.mutualTls ? metadata : withoutMutualTls(metadata));
    // The library refuses a client whose types it does not know, such as one that was removed a moment ago. Which a
    // client may ask for is decided at each request (rich-requests.ts).
    Object.assign(client, { authorizationDetailsTypes: undefined });
    attachFacts(client, record.facts);
    instances.set(record, { client, keys });
    return client;
  }

  /** A client whose keys stand at a URI has them read when, and only when, something is to be verified with them. */
  async function withKeysOf(record: ClientRecord, uri: string): Promise<Client> {
    const { oidc } = inside.constructor.ctx ?? {};
    const kept = instances.get(record)?.keys ?? NO_KEYS;
    const signed = signedBy(record.metadata.client_id, oidc?.params);
    if (!signed) return instanceOf(record, kept);
    try {
      return instanceOf(record, await keySource.of(uri, signed.kid));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const client = instanceOf(record, NO_KEYS);
      if (!signed.proof) return client;
      // So that the event names the client.
      oidc?.entity('Client', client);
      throw new errors.InvalidClientAuth(reasonOf(uri, error));
    }
  }

  inside.Client.find = async (id) => {
    if (typeof id !== 'string' || id === '') return undefined;
    // Before an endpoint reads a JWT, it looks for the client; some have taken no more than its proof from the body then.
    const { body, params } = inside.constructor.ctx?.oidc ?? {};
    assertFlat(body ?? params);
    const record = await clients.find(id);
    if (!record) return undefined;
    if (LIMITED.has(inside.constructor.ctx?.oidc?.route ?? '')) await clientLimit.take(id);
    const { jwks_uri: uri } = record.metadata;
    return uri === undefined ? instanceOf(record, undefined) : withKeysOf(record, uri);
  };

  // Client.compareClientSecret: secrets are stored as digests, two may be live at once.
  // Client.includeSid: every token that a person stands behind names its session, not only for clients that registered
  // a back-channel logout address.
  Object.assign(inside.Client.prototype, {
    includeSid: () => true,
    compareClientSecret(this: { clientId: string; clientSecret?: string }, presented: string): boolean {
      const digest = matchingDigest(this.clientSecret, presented, seconds());
      if (digest !== undefined) lastUse.secret(this.clientId, digest);
      return digest !== undefined;
    },
  });

  // ReplayDetection.unique: the library finds and then saves, which lets parallel uses through.
  inside.ReplayDetection.unique = (iss, jti, exp) =>
    claimJti(db, `${iss}|${jti}`, iss, new Date(exp * 1000), clock.now());

  // Session.save: the library destroys the old id and then writes the whole session. Here the row changes in one
  // statement, and the clients that signed in meanwhile in parallel requests stay in it.
  inside.Session.prototype.save = async function save(ttl) {
    const loadedId = this.exp === undefined ? undefined : (this.oldId ?? this.jti);
    this.exp = seconds() + ttl;
    const { payload } = await this.getValueAndPayload();
    const ctx = inside.constructor.ctx;
    await sessions.save({
      id: this.jti,
      loadedId,
      payload,
      expiresAt: new Date(this.exp * 1000),
      request: ctx && requestOf(ctx),
      interaction: takeEnd(ctx),
      grant: takeGrant(ctx),
      keepOnly: ctx?.oidc?.route === 'end_session_confirm' ? Object.keys(this.authorizations ?? {}) : undefined,
    });
    this.oldId = undefined;
    this.touched = false;
    return this.jti;
  };
}
