import { LRUCache } from 'lru-cache';
import type { AdapterPayload } from 'oidc-provider';
import { newId } from '../kernel/ids.ts';
import type { CompanionRow } from '../platform/audit/audit.ts';
import { sha256 } from '../platform/crypto/digest.ts';

/** What the library stores under an opaque id is found by the id's SHA-256: the ids are bearer secrets. */
export function hashOf(id: string): Buffer {
  return sha256(id);
}

/**
 * The id under which a JWT access token's row is found. Only the structured-token step makes such an id, after it has
 * verified the signature; one that a caller sends is refused there.
 */
export const JWT_ALIAS = 'jwt:';

/** One row of the table token, by its column names; times as RFC 3339 text. JSON leaves out what it does not have. */
export interface TokenRow extends CompanionRow {
  id_hash: string;
  kind: string;
  jti: string;
  format: 'opaque' | 'jwt';
  user_id: string | undefined;
  service_account_id: string | undefined;
  client_id: string | undefined;
  grant_id: string | undefined;
  session_uid: string | undefined;
  /** Of the row of the token that it was exchanged for (RFC 8693). */
  parent_jti: string | undefined;
  /** The key that signed it, where it is a JWT. */
  kid: string | undefined;
  scopes: string[];
  audience: string | undefined;
  created_at: string;
  expires_at: string;
  payload: Record<string, unknown> | undefined;
}

const COLUMNS =
  'id_hash, kind, jti, format, user_id, service_account_id, client_id, grant_id, session_uid, parent_jti, kid, scopes, ' +
  'audience, created_at, expires_at, payload';

/**
 * Runs in the statement that commits the audit events. A token whose client was disabled or deleted meanwhile, or whose
 * grant was revoked (a code or a refresh token used twice at once), is born revoked. Both rows are locked against such
 * a change until the token is committed: whoever revokes, and then looks for tokens in a second statement, finds it.
 * Whoever ends all tokens for an API waits in the same way for the lock on its audience, which is taken before all rows.
 * One that is signed by a key that leaked is born revoked, too: the key's row is locked before all other rows.
 * So is one that was exchanged for a token that is revoked, and one whose parent is being revoked at this moment: who
 * holds that lock waits for none of ours, since these come last and wait for nobody (SKIP LOCKED).
 * `builtInClients` have no row.
 */
export function insertTokens(builtInClients: string[]): string {
  const builtIn = builtInClients.map((id) => `'${id}'`).join(', ');
  return `WITH r AS (SELECT * FROM json_populate_recordset(NULL::token, $2::json)),
    a AS MATERIALIZED (SELECT count(pg_advisory_xact_lock_shared(hashtextextended(audience, 1))) AS locked
      FROM (SELECT DISTINCT audience FROM r WHERE audience IS NOT NULL ORDER BY audience) x),
    k AS MATERIALIZED (SELECT kid FROM signing_key
      WHERE (SELECT locked FROM a) >= 0 AND status <> 'revoked' AND kid IN (SELECT kid FROM r)
      ORDER BY kid FOR SHARE),
    c AS (SELECT client_id, disabled_at FROM client
      WHERE (SELECT count(*) FROM k) >= 0 AND client_id IN (SELECT client_id FROM r)
      ORDER BY client_id FOR SHARE),
    g AS (SELECT grant_id, revoked_at FROM token WHERE (SELECT count(*) FROM k) >= 0 AND kind = 'Grant'
      AND id_hash IN (SELECT sha256(convert_to(grant_id, 'UTF8')) FROM r WHERE grant_id IS NOT NULL)
      ORDER BY id_hash FOR SHARE),
    p AS (SELECT jti FROM token WHERE EXISTS (SELECT 1 FROM r WHERE parent_jti IS NOT NULL)
      AND (SELECT count(*) FROM c) + (SELECT count(*) FROM g) >= 0
      AND jti IN (SELECT parent_jti FROM r) AND revoked_at IS NULL
      ORDER BY id_hash FOR SHARE SKIP LOCKED)
  INSERT INTO token (${COLUMNS}, revoked_at)
  SELECT ${COLUMNS}, CASE WHEN
      (r.client_id NOT IN (${builtIn}) AND NOT EXISTS (SELECT 1 FROM c WHERE c.client_id = r.client_id AND c.disabled_at IS NULL))
      OR EXISTS (SELECT 1 FROM g WHERE g.grant_id = r.grant_id AND g.revoked_at IS NOT NULL)
      OR (r.kid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM k WHERE k.kid = r.kid))
      OR (r.parent_jti IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.jti = r.parent_jti))
    THEN r.created_at END
  FROM r`;
}

/** Tokens of one second share their times. */
const times = new LRUCache<number, string>({ max: 100 });

function rfc3339(epochSeconds: number): string {
  const known = times.get(epochSeconds);
  if (known !== undefined) return known;
  const made = new Date(epochSeconds * 1000).toISOString();
  times.set(epochSeconds, made);
  return made;
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function toTokenRow(
  kind: string,
  id: string,
  payload: AdapterPayload,
  options: { format: 'opaque' | 'jwt'; jti?: string; kid?: string; serviceAccountId?: string },
): TokenRow {
  const {
    jti: _secret,
    iat,
    exp,
    kind: _kind,
    accountId,
    clientId,
    grantId,
    sessionUid,
    scope,
    aud,
    ...rest
  } = payload;
  const opaque = options.format === 'opaque';
  return {
    id_hash: `\\x${hashOf(id).toString('hex')}`,
    kind,
    jti: options.jti ?? newId(),
    format: options.format,
    user_id: text(accountId),
    service_account_id: options.serviceAccountId,
    client_id: text(clientId),
    grant_id: text(grantId),
    session_uid: text(sessionUid),
    parent_jti: undefined,
    kid: options.kid,
    scopes: typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [],
    audience: text(Array.isArray(aud) ? aud[0] : aud),
    created_at: rfc3339(Number(iat)),
    expires_at: rfc3339(Number(exp)),
    payload: opaque || Object.values(rest).some((value) => value !== undefined) ? rest : undefined,
  };
}
