import type { Clock } from '../kernel/clock.ts';
import type { Database, Tx } from '../platform/db/database.ts';

export interface SessionView {
  uid: string;
  address: string;
  userAgent: string;
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
  /** Names of the applications that were signed in to from it. */
  clients: string[];
}

export interface SessionPort {
  listForUser(userId: string): Promise<SessionView[]>;
  /** Ends one session with the tokens that hang on it. False where there is none. */
  end(tx: Tx, uid: string): Promise<boolean>;
  /** Ends all (but one) sessions of a person, and every code, grant and refresh token. Returns how many sessions. */
  endAll(tx: Tx, userId: string, exceptUid?: string): Promise<number>;
  /**
   * Forgets how far the person has come in sign-ins that are not complete: what was proven there may be worth nothing
   * any more. Called first in a transaction: the end of a sign-in takes its row before those of the person.
   */
  forgetSignIns(tx: Tx, userId: string): Promise<void>;
  /** Consent was withdrawn: what this client holds for this person ends at once. */
  endForClient(tx: Tx, userId: string, clientId: string): Promise<void>;
}

const LIST = `SELECT s.uid, s.address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at,
    ARRAY(SELECT coalesce(c.name, $3) FROM session_client x LEFT JOIN client c ON c.client_id = x.client_id
      WHERE x.session_uid = s.uid ORDER BY 1) AS clients
  FROM session s WHERE s.user_id = $1 AND s.expires_at > $2 ORDER BY s.last_seen_at DESC`;

interface SessionRow {
  uid: string;
  address: string;
  user_agent: string;
  created_at: Date;
  last_seen_at: Date;
  expires_at: Date;
  clients: string[];
}

/** Before tokens are ended: one that is being inserted is then either there for the next statement or born revoked. */
async function lockGrants(tx: Tx, userId: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM token WHERE kind = 'Grant' AND user_id = ${userId}::uuid AND revoked_at IS NULL
    ORDER BY id_hash FOR UPDATE`;
}

/**
 * Before grants are locked: a session that begins at this moment either finds its interaction ended and does not come to
 * be, or is there with its grant for the statements that follow.
 */
async function endInteractions(tx: Tx, userId: string, keep: string, now: Date): Promise<void> {
  await tx.$executeRaw`UPDATE token SET revoked_at = ${now} WHERE kind = 'Interaction' AND user_id = ${userId}::uuid
    AND session_uid IS DISTINCT FROM ${keep} AND revoked_at IS NULL`;
}

export function createSessions(deps: {
  db: Database;
  clock: Clock;
  /** What the product's own pages are called; they have no row among the clients. */
  builtInName: string;
}): SessionPort {
  const { db, clock, builtInName } = deps;
  return {
    async listForUser(userId) {
      const rows = await db.query<SessionRow>('sessions-of-user', LIST, [userId, clock.now(), builtInName]);
      return rows.map((row) => ({
        uid: row.uid,
        address: row.address,
        userAgent: row.user_agent,
        createdAt: row.created_at,
        lastSeenAt: row.last_seen_at,
        expiresAt: row.expires_at,
        clients: row.clients,
      }));
    },

    async end(tx, uid) {
      await tx.$queryRaw`SELECT 1 FROM token WHERE kind = 'Grant' AND grant_id IN (
        SELECT grant_id FROM session_client WHERE session_uid = ${uid} AND grant_id IS NOT NULL) FOR UPDATE`;
      await tx.$executeRaw`
        UPDATE token SET revoked_at = ${clock.now()} WHERE revoked_at IS NULL AND (session_uid = ${uid} OR
          grant_id IN (SELECT grant_id FROM session_client WHERE session_uid = ${uid} AND grant_id IS NOT NULL))`;
      return (await tx.$executeRaw`DELETE FROM session WHERE uid = ${uid}`) > 0;
    },

    async endAll(tx, userId, exceptUid) {
      const now = clock.now();
      const keep = exceptUid ?? '';
      await endInteractions(tx, userId, keep, now);
      await lockGrants(tx, userId);
      // Grants carry no session: those of the kept session's clients stay.
      await tx.$executeRaw`
        UPDATE token SET revoked_at = ${now} WHERE revoked_at IS NULL AND user_id = ${userId}::uuid
          AND session_uid IS DISTINCT FROM ${keep} AND (grant_id IS NULL OR grant_id NOT IN (
            SELECT grant_id FROM session_client WHERE session_uid = ${keep} AND grant_id IS NOT NULL))`;
      return await tx.$executeRaw`DELETE FROM session WHERE user_id = ${userId}::uuid AND uid <> ${keep}`;
    },

    async forgetSignIns(tx, userId) {
      await tx.$executeRaw`DELETE FROM sign_in_attempt WHERE user_id = ${userId}::uuid`;
    },

    async endForClient(tx, userId, clientId) {
      await lockGrants(tx, userId);
      await tx.$executeRaw`
        UPDATE token SET revoked_at = ${clock.now()}
        WHERE revoked_at IS NULL AND user_id = ${userId}::uuid AND client_id = ${clientId}`;
    },
  };
}
