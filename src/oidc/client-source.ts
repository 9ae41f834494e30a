import type { JSONWebKeySet } from 'jose';
import { LRUCache } from 'lru-cache';
import type { ClientMetadata } from 'oidc-provider';
import type { ClaimProfile, SigningAlg, TokenFormat } from '../kernel/access-token.ts';
import type { ClientSettings } from '../kernel/client-settings.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../platform/db/database.ts';
import { CLIENT_CHANGED } from '../platform/db/notify.ts';
import { certificateMetadata } from './client-auth/certificate-metadata.ts';
import { TOKEN_EXCHANGE } from './grant-types/exchange-request.ts';
import { CIBA } from './requests/backchannel-grant.ts';
import { holdsProfile, protocolMetadata } from './requests/client-metadata.ts';

/** One permission of one API that a client may ask for, with what the token for that API looks like. */
export interface AllowedPermission {
  audience: string;
  apiName: string;
  /** Seconds. */
  tokenTtl: number;
  tokenFormat: TokenFormat;
  /** Of its JWTs. */
  signingAlg: SigningAlg;
  claimProfile: ClaimProfile;
  name: string;
  description: string;
}

/** What Postern knows of a client beside the registered metadata (RFC 7591 section 2). */
export interface ClientFacts {
  type: 'web' | 'spa' | 'native' | 'service';
  firstParty: boolean;
  serviceAccount?: { id: string; name: string };
  permissions: AllowedPermission[];
  /** Of its service account: by itself, by its teams, by what these include. */
  roles: string[];
  /** Names of its service account's teams, and of the teams above them. */
  groups: string[];
  settings: ClientSettings;
  /** Audiences of the APIs that it may exchange its callers' tokens for (RFC 8693). */
  exchange: string[];
}

export interface ClientRecord {
  metadata: ClientMetadata;
  facts: ClientFacts;
}

export interface ClientSource {
  find(clientId: string): Promise<ClientRecord | undefined>;
  close(): Promise<void>;
}

interface Row {
  client_id: string;
  name: string;
  type: ClientFacts['type'];
  auth_method: string;
  jwks: JSONWebKeySet | null;
  jwks_uri: string | null;
  settings: ClientSettings;
  redirect_uris: string[];
  post_logout_redirect_uris: string[];
  scopes: string[];
  first_party: boolean;
  service_account_id: string | null;
  service_account_name: string | null;
  secrets: { hash: string; expires: number | null }[] | null;
  permissions: AllowedPermission[] | null;
  roles: string[] | null;
  groups: string[] | null;
  exchange: string[] | null;
  /** Seconds until the next of its roles ends. */
  roles_change_in: number | null;
}

const LIVE = '(x.expires_at IS NULL OR x.expires_at > now())';

/** A disabled client, and the client of a disabled service account, is not found: it can do nothing at all. */
const FIND = `SELECT c.client_id, c.name, c.type, c.auth_method, c.jwks, c.jwks_uri, c.settings, c.redirect_uris, c.post_logout_redirect_uris,
    c.scopes, c.first_party, sa.id AS service_account_id, sa.name AS service_account_name,
    (SELECT json_agg(json_build_object('hash', encode(x.secret_hash, 'hex'),
        'expires', extract(epoch FROM x.expires_at)::bigint))
      FROM client_secret x WHERE x.client_id = c.client_id AND ${LIVE}) AS secrets,
    (SELECT json_agg(json_build_object('audience', a.audience, 'apiName', a.name, 'tokenTtl', a.token_ttl,
        'tokenFormat', a.token_format, 'signingAlg', a.signing_alg, 'claimProfile', a.claim_profile,
        'name', p.name, 'description', p.description) ORDER BY a.audience, p.name)
      FROM permission p JOIN api a ON a.id = p.api_id WHERE p.id IN (
        SELECT permission_id FROM client_permission WHERE client_id = c.client_id
        UNION SELECT permission_id FROM service_account_permission WHERE service_account_id = sa.id
        UNION SELECT rp.permission_id FROM effective_role x JOIN role_permission rp ON rp.role_id = x.role_id
          WHERE x.service_account_id = sa.id AND ${LIVE})) AS permissions,
    (SELECT json_agg(DISTINCT r.name ORDER BY r.name) FROM effective_role x JOIN role r ON r.id = x.role_id
      WHERE x.service_account_id = sa.id AND ${LIVE}) AS roles,
    (SELECT json_agg(DISTINCT t.name ORDER BY t.name) FROM team_member m
      JOIN team_reach tr ON tr.team_id = m.team_id JOIN team t ON t.id = tr.reaches_id
      WHERE m.service_account_id = sa.id) AS groups,
    (SELECT extract(epoch FROM min(x.expires_at) - now())::float8 FROM effective_role x
      WHERE x.service_account_id = sa.id AND x.expires_at > now()) AS roles_change_in,
    (SELECT json_agg(a.audience ORDER BY a.audience) FROM exchange_rule e JOIN api a ON a.id = e.api_id
      WHERE e.client_id = c.client_id) AS exchange
  FROM client c LEFT JOIN service_account sa ON sa.client_id = c.client_id
  WHERE c.client_id = $1 AND c.disabled_at IS NULL AND sa.disabled_at IS NULL
    AND (c.type <> 'service' OR sa.id IS NOT NULL)`;

/** `sha256:<hex>[:<expiry, seconds since the epoch>]`, one for each live secret; read back by the secret's check. */
function digests(row: Row): string | undefined {
  const live = row.secrets ?? [];
  return live.map((secret) => `sha256:${secret.hash}:${secret.expires ?? ''}`).join(',') || undefined;
}

function applicationGrants(settings: ClientSettings, authMethod: string): string[] {
  const { noRefreshTokens, backchannelAuthentication } = settings;
  return [
    'authorization_code',
    ...(noRefreshTokens ? [] : ['refresh_token']),
    // Whoever can say that they are this client could ask people in its name.
    ...(backchannelAuthentication && authMethod !== 'none' ? [CIBA] : []),
  ];
}

function toRecord(row: Row): ClientRecord {
  const service = row.type === 'service';
  const secret = row.auth_method === 'client_secret_basic' ? (digests(row) ?? 'sha256:none:') : undefined;
  return {
    metadata: {
      client_id: row.client_id,
      client_name: row.name,
      ...(secret ? { client_secret: secret } : {}),
      ...(row.jwks ? { jwks: row.jwks as NonNullable<ClientMetadata['jwks']> } : {}),
      ...(row.jwks_uri && !row.jwks ? { jwks_uri: row.jwks_uri } : {}),
      token_endpoint_auth_method: row.auth_method as NonNullable<ClientMetadata['token_endpoint_auth_method']>,
      application_type: row.type === 'native' ? 'native' : 'web',
      redirect_uris: service ? [] : row.redirect_uris,
      post_logout_redirect_uris: row.post_logout_redirect_uris,
      grant_types: service ? ['client_credentials', TOKEN_EXCHANGE] : applicationGrants(row.settings, row.auth_method),
      response_types: service ? [] : ['code'],
      ...(service ? {} : { scope: row.scopes.join(' ') }),
      ...certificateMetadata(row.settings),
      ...protocolMetadata(row.settings, service ? 'service' : 'application'),
    },
    facts: {
      type: row.type,
      firstParty: row.first_party,
      ...(row.service_account_id
        ? { serviceAccount: { id: row.service_account_id, name: row.service_account_name ?? row.name } }
        : {}),
      permissions: row.permissions ?? [],
      roles: row.roles ?? [],
      groups: row.groups ?? [],
      settings: row.settings,
      exchange: row.exchange ?? [],
    },
  };
}

interface Kept {
  record: ClientRecord;
  /** When a role ends, of which no notification tells: milliseconds since the epoch. */
  until: number | undefined;
}

/** Reckoned from the database's time, which decides, so that a clock that is off makes no difference. */
function untilOf({ roles_change_in: seconds }: Row, clock: Clock): number | undefined {
  return seconds === null ? undefined : clock.now().getTime() + seconds * 1000;
}

/** Long enough to serve a burst from memory, short enough that a lost notification heals. */
const KEEP_MS = 30_000;

export async function createClientSource(deps: {
  db: Database;
  clock: Clock;
  /** Clients that are part of the product and not of its data. */
  builtIn: ClientRecord[];
}): Promise<ClientSource> {
  const { db, clock } = deps;
  const builtIn = new Map(deps.builtIn.map((record) => [record.metadata.client_id, record]));
  const cache = new LRUCache<string, Kept>({ max: 10_000, ttl: KEEP_MS });
  let generation = 0;

  function forget(clientId: string): void {
    generation += 1;
    if (clientId === '*') cache.clear();
    else cache.delete(clientId);
  }

  // After a lost connection notifications may have been missed: then nothing that is kept counts.
  const stop = await db.listen(CLIENT_CHANGED, (payload) => forget(payload ?? '*'));

  return {
    async find(clientId) {
      const part = builtIn.get(clientId);
      if (part) return part;
      const kept = cache.get(clientId);
      if (kept && (kept.until === undefined || kept.until > clock.now().getTime())) return kept.record;
      if (clientId.length > 256 || clientId.includes('\0')) return undefined;
      const before = generation;
      const [row] = await db.query<Row>('client-find', FIND, [clientId]);
      if (!row || !holdsProfile(row.settings, row.auth_method)) return undefined;
      const record = toRecord(row);
      // What changed while it was read must not be kept as if it were new.
      if (before === generation) cache.set(clientId, { record, until: untilOf(row, clock) });
      return record;
    },
    close: stop,
  };
}
