import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Clock } from '../kernel/clock.ts';
import type { RequestInfo } from '../kernel/request-info.ts';
import type { Database } from '../platform/db/database.ts';
import { readTogether } from './request-reads.ts';
import { hashOf, type TokenRow } from './token-row.ts';

type Authorizations = Record<string, { sid?: string; grantId?: string }>;

/** A session as the library knows it, by a condition on `s`; `now` is the number of the parameter that holds the time. */
export const selectSession = (where: string, now: string): string => `SELECT s.uid, s.payload,
    extract(epoch FROM s.expires_at)::float8 AS expires,
    coalesce((SELECT json_object_agg(c.client_id, json_strip_nulls(json_build_object('sid', c.sid, 'grantId', c.grant_id)))
      FROM session_client c WHERE c.session_uid = s.uid), '{}'::json) AS authorizations
  FROM session s WHERE s.expires_at > ${now} AND ${where}`;

/**
 * The interaction that the session follows from ($10; null for none) ends in the same statement, for one caller only. Who
 * ends all that a person began ends it, too: whichever comes first, no session outlives that.
 */
const ended = (interaction: string): string => `ended AS (
    UPDATE token SET revoked_at = now() WHERE id_hash = ${interaction}::bytea AND revoked_at IS NULL RETURNING 1
  )`;
const GOES_ON = '($10::bytea IS NULL OR EXISTS (SELECT FROM ended))';

const GRANTED = `granted AS (
    INSERT INTO token (id_hash, kind, jti, user_id, client_id, grant_id, scopes, created_at, expires_at, payload)
    SELECT id_hash, kind, jti, user_id, client_id, grant_id, '{}', created_at, expires_at, payload
      FROM json_populate_record(NULL::token, $11::json) WHERE id_hash IS NOT NULL AND ${GOES_ON}
  )`;

/**
 * A new session is inserted. A known one is only ever updated, under the id that it was loaded by: an ended session
 * can't come back because a request that began earlier saves it, and a rotated id is dead at once (S74).
 */
const SAVE = `WITH ${ended('$10')}, saved AS (
    UPDATE session SET id_hash = $2, user_id = $3, payload = $4, last_seen_at = $5, expires_at = $6, address = $7,
      user_agent = $8
    WHERE id_hash = $1 AND ${GOES_ON} RETURNING uid
  ), kept AS (
    INSERT INTO session_client (session_uid, client_id, sid, grant_id)
    SELECT saved.uid, a.key, a.value->>'sid', a.value->>'grantId'
      FROM saved, json_each($9::json) a WHERE a.value->>'sid' IS NOT NULL
    ON CONFLICT (session_uid, client_id) DO UPDATE SET sid = excluded.sid,
      grant_id = coalesce(excluded.grant_id, session_client.grant_id)
  ), ${GRANTED}
  SELECT ${GOES_ON} AS "goesOn"`;

const CREATE = `WITH ${ended('$10')}, saved AS (
    INSERT INTO session (id_hash, uid, user_id, payload, address, user_agent, created_at, last_seen_at, expires_at)
    SELECT $1, $2, $3::uuid, $4::jsonb, $5, $6, $7::timestamptz, $7::timestamptz, $8::timestamptz WHERE ${GOES_ON}
    ON CONFLICT DO NOTHING RETURNING uid
  ), kept AS (
    INSERT INTO session_client (session_uid, client_id, sid, grant_id)
    SELECT saved.uid, a.key, a.value->>'sid', a.value->>'grantId'
      FROM saved, json_each($9::json) a WHERE a.value->>'sid' IS NOT NULL
  ), ${GRANTED}
  SELECT ${GOES_ON} AS "goesOn"`;

export interface SessionRow {
  uid: string;
  payload: Record<string, unknown>;
  /** Seconds since the epoch. */
  expires: number;
  authorizations: Authorizations;
}

export function toSessionPayload(row: SessionRow, id: string | undefined): AdapterPayload {
  return {
    ...row.payload,
    ...(id === undefined ? {} : { jti: id }),
    uid: row.uid,
    authorizations: row.authorizations,
    exp: Math.floor(row.expires),
  } as AdapterPayload;
}

const FIND = selectSession('s.id_hash = $1', '$2');
const FIND_BY_UID = selectSession('s.uid = $1', '$2');

export interface SessionStore {
  adapter: Adapter;
  save(input: {
    id: string;
    /** The id that the session was loaded by; undefined for one that was never stored. */
    loadedId: string | undefined;
    payload: AdapterPayload;
    expiresAt: Date;
    request: RequestInfo | undefined;
    /** Single logout of one client: the clients that stay. */
    keepOnly: string[] | undefined;
    /** The interaction that it follows from and that ends with this. */
    interaction?: string | undefined;
    /** One that was made in it. */
    grant?: TokenRow | undefined;
  }): Promise<void>;
  /** For one that no session follows from. */
  endInteraction(id: string): Promise<void>;
}

function assertGoesOn([row]: { goesOn: boolean }[]): void {
  if (row?.goesOn !== true) throw new errors.SessionNotFound('interaction session not found');
}

export function createSessionStore(deps: { db: Database; clock: Clock }): SessionStore {
  const { db, clock } = deps;

  const adapter: Adapter = {
    async find(id) {
      const [row] = await db.query<SessionRow>('session-find', FIND, [hashOf(id), clock.now()]);
      return row && toSessionPayload(row, id);
    },
    async findByUid(uid) {
      const { session } = readTogether(Provider.ctx);
      if (session?.uid === uid) return session.payload;
      const [row] = await db.query<SessionRow>('session-find-uid', FIND_BY_UID, [uid, clock.now()]);
      return row && toSessionPayload(row, undefined);
    },
    async destroy(id) {
      await db.query('session-destroy', 'DELETE FROM session WHERE id_hash = $1', [hashOf(id)]);
    },
    async upsert() {
      throw new Error('sessions are saved by SessionStore.save');
    },
    async consume() {},
    async revokeByGrantId() {},
    async findByUserCode() {
      return undefined;
    },
  };

  return {
    adapter,
    async save({ id, loadedId, payload, expiresAt, request, keepOnly, interaction, grant }) {
      const { jti: _id, authorizations, ...rest } = payload;
      const now = clock.now();
      const joined = JSON.stringify(authorizations ?? {});
      const userId = typeof payload.accountId === 'string' ? payload.accountId : null;
      const ends = interaction === undefined ? null : hashOf(interaction);
      const granted = grant === undefined ? null : JSON.stringify(grant);
      if (loadedId === undefined) {
        const created = await db.query<{ goesOn: boolean }>('session-create', CREATE, [
          hashOf(id),
          payload.uid,
          userId,
          rest,
          request?.address ?? '',
          request?.userAgent.slice(0, 512) ?? '',
          now,
          expiresAt,
          joined,
          ends,
          granted,
        ]);
        return assertGoesOn(created);
      }
      const saved = await db.query<{ goesOn: boolean }>('session-save', SAVE, [
        hashOf(loadedId),
        hashOf(id),
        userId,
        rest,
        now,
        expiresAt,
        request?.address ?? '',
        request?.userAgent.slice(0, 512) ?? '',
        joined,
        ends,
        granted,
      ]);
      assertGoesOn(saved);
      if (keepOnly) {
        const leave = 'DELETE FROM session_client WHERE session_uid = $1 AND client_id <> ALL($2::text[])';
        await db.query('session-leave', leave, [payload.uid, keepOnly]);
      }
    },

    async endInteraction(id) {
      await db.query('interaction-end', `WITH ${ended('$1')} SELECT FROM ended`, [hashOf(id)]);
    },
  };
}
