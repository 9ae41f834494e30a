import Provider, { type AdapterPayload } from 'oidc-provider';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../platform/db/database.ts';
import { createLoader } from '../platform/db/loader.ts';
import { type AccountRow, selectAccount, toAccount } from './account-row.ts';
import { keepReads, type ReadTogether } from './request-reads.ts';
import { type SessionRow, selectSession, toSessionPayload } from './session-store.ts';
import { hashOf, text } from './token-row.ts';

export interface FoundRow {
  kind: string;
  jti: string;
  format: 'opaque' | 'jwt';
  user_id: string | null;
  client_id: string | null;
  grant_id: string | null;
  session_uid: string | null;
  parent_jti: string | null;
  scopes: string[];
  audience: string | null;
  payload: Record<string, unknown> | null;
  /** Seconds since the epoch; so are exp and consumed. */
  iat: number;
  exp: number;
  consumed: number | null;
}

/** Of a row, as FoundRow; `t` is the table. */
export const tokenColumns = `t.kind, t.jti, t.format, t.user_id, t.client_id, t.grant_id, t.session_uid, t.parent_jti,
  t.scopes, t.audience, t.payload, floor(extract(epoch FROM t.created_at))::float8 AS iat,
  floor(extract(epoch FROM t.expires_at))::float8 AS exp, floor(extract(epoch FROM t.consumed_at))::float8 AS consumed`;

const FIND = `SELECT ${tokenColumns} FROM token t WHERE t.id_hash = $1 AND t.revoked_at IS NULL`;

/** The row's grant is found by the digest of its id, as everything here. */
const GRANT = `SELECT ${tokenColumns} FROM token t
  WHERE t.id_hash = sha256(convert_to(f.grant_id, 'UTF8')) AND t.revoked_at IS NULL`;

/** An interaction is no client's; it stores what was asked for. */
const CLIENT = "coalesce(f.client_id, f.payload->'params'->>'client_id')";

/**
 * Tokens, each with what stands behind it: its grant, the session that it ends with, and ($3) its person. The library
 * asks for these one after the other, each a round trip.
 */
const FIND_TOGETHER = `SELECT f.*,
    CASE WHEN f.grant_id IS NOT NULL THEN (SELECT row_to_json(g) FROM (${GRANT}) g) END AS its_grant,
    CASE WHEN f.payload->'expiresWithSession' = 'true'::jsonb THEN
      (SELECT row_to_json(s) FROM (${selectSession('s.uid = f.session_uid', '$2')}) s) END AS its_session,
    CASE WHEN $3 THEN (SELECT row_to_json(a) FROM (${selectAccount('f.user_id', CLIENT)}) a) END AS its_account
  FROM (SELECT t.id_hash, ${tokenColumns} FROM token t WHERE t.id_hash = ANY($1::bytea[]) AND t.revoked_at IS NULL) f`;

interface TogetherRow extends FoundRow {
  id_hash: Buffer;
  its_grant: FoundRow | null;
  its_session: SessionRow | null;
  its_account: AccountRow | null;
}

/** Kinds that a person stands behind, or may. */
const WITH_GRANT = new Set(['AccessToken', 'RefreshToken', 'AuthorizationCode', 'Interaction']);
/** To introspect or revoke, the library asks for the same id once per kind of token. */
const PROBED = new Set(['introspection', 'revocation']);

/** A token that was not revoked, with what stands behind it. */
export interface FoundTogether extends ReadTogether {
  row: FoundRow;
}

export interface TokenReads {
  /** The row of whatever kind that has this id; undefined where there is none or it was revoked. */
  read(kind: string, id: string): Promise<FoundRow | undefined>;
  /** The same, outside of the library's requests. */
  withGrant(id: string): Promise<FoundTogether | undefined>;
  /** With its person beside its grant. */
  withPerson(id: string): Promise<FoundTogether | undefined>;
}

/** The inverse of toTokenRow: a payload as the library gave it, with its secret id put back. */
export function toPayload(row: FoundRow, id: string): AdapterPayload {
  return {
    ...row.payload,
    kind: row.kind,
    jti: row.format === 'jwt' ? row.jti : id,
    iat: row.iat,
    exp: row.exp,
    ...(row.user_id ? { accountId: row.user_id } : {}),
    ...(row.client_id ? { clientId: row.client_id } : {}),
    // A grant is its client's: an exchanged token (RFC 8693) ends with one that is another client's.
    ...(row.grant_id && row.kind !== 'Grant' && !row.parent_jti ? { grantId: row.grant_id } : {}),
    ...(row.session_uid ? { sessionUid: row.session_uid } : {}),
    ...(row.scopes.length > 0 ? { scope: row.scopes.join(' ') } : {}),
    ...(row.audience ? { aud: row.audience } : {}),
    ...(row.consumed ? { consumed: row.consumed } : {}),
  };
}

function askedBy({ payload }: FoundRow): unknown {
  return (payload?.params as { client_id?: unknown } | undefined)?.client_id;
}

function toFound(found: TogetherRow, withAccount: boolean): FoundTogether {
  const { id_hash: _hash, its_grant: grant, its_session: session, its_account: account, ...row } = found;
  return {
    row,
    ...(row.grant_id !== null && {
      grant: { id: row.grant_id, payload: grant?.kind === 'Grant' ? toPayload(grant, row.grant_id) : undefined },
    }),
    ...(row.payload?.expiresWithSession === true &&
      row.session_uid !== null && {
        session: { uid: row.session_uid, payload: session ? toSessionPayload(session, undefined) : undefined },
      }),
    ...(withAccount &&
      row.user_id !== null && {
        account: {
          userId: row.user_id,
          clientId: row.client_id ?? text(askedBy(row)) ?? undefined,
          record: account ? toAccount(account) : undefined,
        },
      }),
  };
}

export function createTokenReads(deps: { db: Database; clock: Clock }): TokenReads {
  const { db, clock } = deps;

  /** Reads of the same moment share a statement. */
  const loaderOf = (withAccount: boolean) =>
    createLoader<Buffer, FoundTogether | undefined>({
      async load(hashes) {
        const values = [hashes, clock.now(), withAccount];
        const rows = await db.query<TogetherRow>('token-find-together', FIND_TOGETHER, values);
        const found = new Map(rows.map((row) => [row.id_hash.toString('hex'), toFound(row, withAccount)]));
        return hashes.map((hash) => found.get(hash.toString('hex')));
      },
    });
  const withGrant = loaderOf(false);
  const withPerson = loaderOf(true);

  async function together(ctx: object, id: string, withAccount: boolean): Promise<FoundRow | undefined> {
    const found = await (withAccount ? withPerson : withGrant)(hashOf(id));
    if (!found) return undefined;
    const { row, ...read } = found;
    keepReads(ctx, read);
    return row;
  }

  async function alone(id: string): Promise<FoundRow | undefined> {
    const [row] = await db.query<FoundRow>('token-find', FIND, [hashOf(id)]);
    return row;
  }

  const asked = new WeakMap<object, Map<string, Promise<FoundRow | undefined>>>();

  return {
    withGrant: (id) => withGrant(hashOf(id)),
    withPerson: (id) => withPerson(hashOf(id)),

    read(kind, id) {
      const ctx = Provider.ctx;
      if (!ctx) return alone(id);
      if (!PROBED.has(ctx.oidc.route)) return WITH_GRANT.has(kind) ? together(ctx, id, true) : alone(id);
      const known = asked.get(ctx) ?? new Map<string, Promise<FoundRow | undefined>>();
      asked.set(ctx, known);
      const row = known.get(id) ?? together(ctx, id, false);
      known.set(id, row);
      return row;
    },
  };
}
