import { Prisma } from '../../generated/prisma/client.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Tx } from '../../platform/db/database.ts';
import { TOKEN_KINDS, type TokenKind, type TokenState } from './schema.ts';

export interface TokenView {
  /** The public handle: the jti of a JWT; for an opaque token a name that opens nothing. */
  jti: string;
  kind: TokenKind;
  format: 'jwt' | 'opaque';
  state: TokenState;
  /** Whom it speaks for. Both are absent where the account is gone. */
  user: { id: string; name: string; email: string } | undefined;
  serviceAccount: { id: string; name: string } | undefined;
  client: { id: string; name: string; type: string | undefined } | undefined;
  scopes: string[];
  audience: string | undefined;
  /** The token that it was exchanged for (RFC 8693). */
  parent: { jti: string } | undefined;
  /** The key that signed it, where it is a JWT. */
  kid: string | undefined;
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | undefined;
}

export interface TokenCriteria {
  kind?: TokenKind | undefined;
  state?: TokenState | undefined;
  clientId?: string | undefined;
  /** Absent: any. Empty: nobody, so nothing is found. */
  userIds?: string[] | undefined;
  /** client_ids of service accounts: the same tokens as by account, found by the index that exists anyway. */
  serviceClientIds?: string[] | undefined;
  audience?: string | undefined;
  kid?: string | undefined;
  /** `id` is the row's key in hex. */
  after?: TimeCursor | undefined;
}

interface Row {
  id_hash: string;
  jti: string;
  kind: TokenKind;
  format: 'jwt' | 'opaque';
  state: TokenState;
  user_id: string | null;
  user_name: string | null;
  user_email: string | null;
  service_account_id: string | null;
  service_account_name: string | null;
  client_id: string | null;
  client_name: string | null;
  client_type: string | null;
  scopes: string[];
  audience: string | null;
  parent_jti: string | null;
  kid: string | null;
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
}

const WITH_OWNERS = Prisma.sql`
  LEFT JOIN user_account u ON u.id = t.user_id
  LEFT JOIN service_account s ON s.id = t.service_account_id
  LEFT JOIN client c ON c.client_id = t.client_id`;

function columns(now: Date): Prisma.Sql {
  return Prisma.sql`encode(t.id_hash, 'hex') AS id_hash, t.jti, t.kind, t.format, t.scopes, t.audience,
    t.created_at, t.expires_at, t.revoked_at, t.client_id, c.name AS client_name, c.type AS client_type,
    u.id::text AS user_id, u.name AS user_name, u.email AS user_email,
    s.id::text AS service_account_id, s.name AS service_account_name,
    t.parent_jti, t.kid, ${stateAt(now)} AS state`;
}

/** The state of `t`. */
export function stateAt(now: Date): Prisma.Sql {
  return Prisma.sql`CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= ${now} THEN 'expired'
    WHEN t.consumed_at IS NOT NULL THEN 'rotated' ELSE 'active' END`;
}

function inState(state: TokenState | undefined, now: Date): Prisma.Sql {
  switch (state) {
    case 'revoked':
      return Prisma.sql`AND t.revoked_at IS NOT NULL`;
    case 'expired':
      return Prisma.sql`AND t.revoked_at IS NULL AND t.expires_at <= ${now}`;
    case 'rotated':
      return Prisma.sql`AND t.revoked_at IS NULL AND t.expires_at > ${now} AND t.consumed_at IS NOT NULL`;
    case 'active':
      return Prisma.sql`AND t.revoked_at IS NULL AND t.expires_at > ${now} AND t.consumed_at IS NULL`;
    default:
      return Prisma.empty;
  }
}

function conditions(criteria: TokenCriteria, now: Date): Prisma.Sql {
  const { clientId, userIds, serviceClientIds, audience, kid } = criteria;
  return Prisma.join(
    [
      inState(criteria.state, now),
      clientId === undefined ? Prisma.empty : Prisma.sql`AND t.client_id = ${clientId}`,
      userIds === undefined ? Prisma.empty : Prisma.sql`AND t.user_id = ANY(${userIds}::uuid[])`,
      serviceClientIds === undefined ? Prisma.empty : Prisma.sql`AND t.client_id = ANY(${serviceClientIds}::text[])`,
      audience === undefined ? Prisma.empty : Prisma.sql`AND t.audience = ${audience}`,
      kid === undefined ? Prisma.empty : Prisma.sql`AND t.kid = ${kid}`,
      beyond(criteria.after),
    ],
    ' ',
  );
}

function beyond(cursor: TimeCursor | undefined): Prisma.Sql {
  if (!cursor) return Prisma.empty;
  const { at, id } = cursor;
  return cursor.towards === 'newer'
    ? Prisma.sql`AND t.created_at >= ${at} AND (t.created_at > ${at} OR t.id_hash < decode(${id}, 'hex'))`
    : Prisma.sql`AND t.created_at <= ${at} AND (t.created_at < ${at} OR t.id_hash > decode(${id}, 'hex'))`;
}

/** Newest first. Each kind is read along its own index (kind, created_at, id_hash), so no page sorts the table. */
export async function listTokens(db: Tx, criteria: TokenCriteria, now: Date): Promise<Page<TokenView>> {
  const kinds = criteria.kind ? [criteria.kind] : [...TOKEN_KINDS];
  const order =
    criteria.after?.towards === 'newer'
      ? Prisma.sql`ORDER BY t.created_at, t.id_hash DESC`
      : Prisma.sql`ORDER BY t.created_at DESC, t.id_hash`;
  const rows = await db.$queryRaw<Row[]>`
    SELECT ${columns(now)}
    FROM (
      SELECT t.* FROM unnest(${kinds}::text[]) AS k (kind)
      CROSS JOIN LATERAL (
        SELECT t.* FROM token t WHERE t.kind = k.kind ${conditions(criteria, now)}
        ${order} LIMIT ${PAGE_SIZE + 1}
      ) t
      ${order} LIMIT ${PAGE_SIZE + 1}
    ) t ${WITH_OWNERS}
    ${order}`;
  return toPage(rows, PAGE_SIZE, toView, (row) => ({ at: row.created_at, id: row.id_hash }), criteria.after);
}

export async function findToken(db: Tx, jti: string, now: Date): Promise<TokenView | null> {
  const [row] = await db.$queryRaw<Row[]>`
    SELECT ${columns(now)} FROM token t ${WITH_OWNERS}
    WHERE t.jti = ${jti} AND t.kind = ANY(${[...TOKEN_KINDS]}::text[])
    ORDER BY t.created_at DESC LIMIT 1`;
  return row ? toView(row) : null;
}

function toView(row: Row): TokenView {
  return {
    jti: row.jti,
    kind: row.kind,
    format: row.format,
    state: row.state,
    user:
      row.user_id === null ? undefined : { id: row.user_id, name: row.user_name ?? '', email: row.user_email ?? '' },
    serviceAccount:
      row.service_account_id === null
        ? undefined
        : { id: row.service_account_id, name: row.service_account_name ?? '' },
    client:
      row.client_id === null
        ? undefined
        : { id: row.client_id, name: row.client_name ?? row.client_id, type: row.client_type ?? undefined },
    scopes: row.scopes,
    audience: row.audience ?? undefined,
    parent: row.parent_jti === null ? undefined : { jti: row.parent_jti },
    kid: row.kid ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}

/**
 * Revokes it, and with a refresh token everything of its grant (RFC 7009 section 2.1). Answers how many rows changed;
 * 0 when it was revoked or had expired before, so of two at once one wins.
 */
export async function revokeToken(tx: Tx, jti: string, now: Date): Promise<number> {
  return await tx.$executeRaw`
    WITH target AS (
      SELECT id_hash, kind, grant_id FROM token
      WHERE jti = ${jti} AND kind = ANY(${[...TOKEN_KINDS]}::text[]) AND revoked_at IS NULL AND expires_at > ${now}
      ORDER BY created_at DESC LIMIT 1
      FOR UPDATE
    )
    UPDATE token SET revoked_at = ${now}
    WHERE revoked_at IS NULL AND id_hash IN (
      SELECT id_hash FROM target
      UNION ALL
      SELECT t.id_hash FROM target JOIN token t ON t.grant_id = target.grant_id WHERE target.kind = 'RefreshToken')`;
}

/** Everything that the client holds: tokens, codes, grants. */
export async function revokeTokensOfClient(tx: Tx, clientId: string, now: Date): Promise<number> {
  // A token that is being inserted holds this row: it is there for the next statement, or born revoked.
  await tx.$queryRaw`SELECT 1 FROM client WHERE client_id = ${clientId} FOR UPDATE`;
  return await tx.$executeRaw`
    UPDATE token SET revoked_at = ${now} WHERE client_id = ${clientId} AND revoked_at IS NULL AND expires_at > ${now}`;
}

/** Ids of people by id or e-mail address. */
export async function findUserIds(db: Tx, text: string): Promise<string[]> {
  const address = text.normalize('NFKC').toLowerCase();
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM user_account WHERE email_normalized = ${address} OR id::text = ${text.toLowerCase()}`;
  return rows.map((row) => row.id);
}

/** client_ids of service accounts by id, client_id or name. */
export async function findServiceClientIds(db: Tx, text: string): Promise<string[]> {
  const rows = await db.$queryRaw<{ client_id: string }[]>`
    SELECT client_id FROM service_account
    WHERE client_id = ${text} OR lower(name) = ${text.toLowerCase()} OR id::text = ${text.toLowerCase()}`;
  return rows.map((row) => row.client_id);
}
