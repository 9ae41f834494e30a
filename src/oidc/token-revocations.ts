import type { Clock } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import { AUDIT_COLUMNS, type Audit, type AuditEvent, type AuditRow } from '../platform/audit/audit.ts';
import { createGroupCommit } from '../platform/audit/group-commit.ts';
import type { Database } from '../platform/db/database.ts';
import { hashOf } from './token-row.ts';

/**
 * `revoked`: by this call, and its event is durable with it. `nothing`: there is no such token of this client, and no
 * event. `undecided`: nothing was done; this one needs a closer look.
 */
export type RevocationOutcome = 'revoked' | 'nothing' | 'undecided';

export interface TokenRevocations {
  /** @throws AppError (503) when it can't be made durable */
  revoke(asked: {
    id: string;
    format: 'opaque' | 'jwt';
    clientId: string;
    event: AuditEvent;
  }): Promise<RevocationOutcome>;
}

interface Entry {
  hash: Buffer;
  format: string;
  clientId: string;
  event: AuditRow;
  outcome: RevocationOutcome;
}

/**
 * Access tokens end and their events are written in one statement, for all that are asked for at the same time. Of
 * several requests for one token, one row of `found` meets it.
 *
 * The statement holds many rows and so must wait for none: one that is locked (a token is being exchanged for it, or
 * its grant is being revoked) is left out, and so is one that others were exchanged for, which end with it (trigger
 * token_revoke_exchanged). One whose time or session has ended is not looked at either: what that means is said elsewhere.
 *
 * LIMIT makes each a look-up of its own, and coalesce one by its id: a plan that was made when the table held a few rows
 * would read all of it, or all tokens of a client.
 */
const REVOKE = `WITH asked AS (
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[]) WITH ORDINALITY AS a(id_hash, format, client_id, n)),
  found AS MATERIALIZED (
    SELECT a.n, t.id_hash FROM asked a CROSS JOIN LATERAL (
      SELECT t.id_hash, t.format FROM token t
      WHERE t.id_hash = a.id_hash AND coalesce(t.client_id, '') = a.client_id
        AND t.kind IN ('AccessToken', 'ClientCredentials') AND t.revoked_at IS NULL AND t.expires_at > $5
        AND NOT EXISTS (SELECT FROM token x WHERE x.parent_jti = t.jti)
        AND (t.payload->'expiresWithSession' IS DISTINCT FROM 'true'::jsonb OR EXISTS (
          SELECT FROM session s JOIN session_client c ON c.session_uid = s.uid
          WHERE s.uid = t.session_uid AND s.expires_at > $5 AND s.user_id = t.user_id
            AND c.client_id = t.client_id AND c.grant_id = t.grant_id))
      LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED) t
    WHERE t.format = a.format),
  revoked AS (
    UPDATE token t SET revoked_at = now() FROM found f WHERE t.id_hash = f.id_hash RETURNING f.n),
  told AS (
    INSERT INTO audit_event (${AUDIT_COLUMNS})
    SELECT ${AUDIT_COLUMNS} FROM json_populate_recordset(NULL::audit_event, $4::json) WITH ORDINALITY e
    WHERE e.ordinality IN (SELECT n FROM revoked))
  SELECT CASE WHEN r.n IS NOT NULL THEN 'revoked' WHEN t.id_hash IS NULL THEN 'nothing' ELSE 'undecided' END AS outcome
  FROM asked a LEFT JOIN revoked r ON r.n = a.n
    LEFT JOIN LATERAL (
      SELECT t.id_hash FROM token t
      WHERE t.id_hash = a.id_hash AND coalesce(t.client_id, '') = a.client_id AND t.revoked_at IS NULL LIMIT 1) t ON true
  ORDER BY a.n`;

export function createTokenRevocations(deps: {
  db: Database;
  clock: Clock;
  audit: Pick<Audit, 'row'>;
}): TokenRevocations {
  const { db, clock, audit } = deps;

  const group = createGroupCommit<Entry>({
    isFaultOfEntry: (error) => !(error instanceof AppError),
    async flush(entries) {
      const rows = await db.query<{ outcome: RevocationOutcome }>('token-revoke', REVOKE, [
        entries.map(({ hash }) => hash),
        entries.map(({ format }) => format),
        entries.map(({ clientId }) => clientId),
        JSON.stringify(entries.map(({ event }) => event)),
        clock.now(),
      ]);
      entries.forEach((entry, index) => {
        entry.outcome = rows[index]?.outcome ?? 'undecided';
      });
    },
  });

  return {
    async revoke({ id, format, clientId, event }) {
      const entry: Entry = { hash: hashOf(id), format, clientId, event: audit.row(event), outcome: 'undecided' };
      await group.add(entry);
      return entry.outcome;
    },
  };
}
