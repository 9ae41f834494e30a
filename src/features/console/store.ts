import type { Clock } from '../../kernel/clock.ts';
import { randomToken } from '../../kernel/ids.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import type { Database } from '../../platform/db/database.ts';
import type { SignedInPerson } from '../../platform/web/context.ts';

export interface ConsoleStore {
  /** Returns the cookie's value; only its digest is kept. */
  open(session: { uid: string; userId: string; acr: string; authTime: Date; expiresAt: Date }): Promise<string>;
  /** The person behind a cookie, roles as they are now (S85). Keeps both sessions from going idle. */
  find(cookie: string): Promise<SignedInPerson | undefined>;
  close(cookie: string): Promise<void>;
}

/**
 * One statement an answer: the console session counts only while the provider's session lives and the person is
 * active. last_seen_at moves at most once a minute, and the absolute end never does. The roles are those by teams and by
 * inclusion, too, but a built-in one, which lets in here, counts only where it was given to the person.
 */
const FIND = `WITH found AS (
    SELECT k.id_hash, k.session_uid, k.acr, k.auth_time, k.last_seen_at, u.id, u.email, u.name,
      coalesce((SELECT json_agg(DISTINCT r.name ORDER BY r.name) FROM effective_role x JOIN role r ON r.id = x.role_id
        WHERE x.user_id = u.id AND (x.expires_at IS NULL OR x.expires_at > $2) AND (NOT r.built_in OR EXISTS (
          SELECT FROM assignment a WHERE a.user_id = u.id AND a.role_id = r.id
            AND (a.expires_at IS NULL OR a.expires_at > $2)))), '[]'::json) AS roles,
      (SELECT count(*)::int FROM token t WHERE t.kind = 'BackchannelAuthenticationRequest' AND t.user_id = u.id
        AND t.consumed_at IS NULL AND t.revoked_at IS NULL AND NOT t.payload ? 'decided'
        AND (t.payload->>'goodUntil')::float8 > extract(epoch FROM $2::timestamptz)) AS open_approvals
    FROM console_session k JOIN session s ON s.uid = k.session_uid AND s.user_id = k.user_id
      JOIN user_account u ON u.id = k.user_id AND u.status = 'active'
    WHERE k.id_hash = $1 AND k.expires_at > $2 AND s.expires_at > $2
      AND k.last_seen_at > $2 - make_interval(secs => $3)
  ), seen AS (
    UPDATE console_session k SET last_seen_at = $2 FROM found
    WHERE k.id_hash = found.id_hash AND found.last_seen_at < $2 - interval '1 minute' RETURNING k.session_uid, k.expires_at
  ), kept AS (
    UPDATE session s SET last_seen_at = $2,
      expires_at = greatest(s.expires_at, least($2 + make_interval(secs => $3), seen.expires_at))
    FROM seen WHERE s.uid = seen.session_uid
  )
  SELECT * FROM found`;

interface Row {
  id: string;
  email: string;
  name: string;
  roles: string[];
  session_uid: string;
  acr: string;
  auth_time: Date;
  open_approvals: number;
}

export function createConsoleStore(deps: { db: Database; clock: Clock; idleSeconds: number }): ConsoleStore {
  const { db, clock, idleSeconds } = deps;
  return {
    async open({ uid, userId, acr, authTime, expiresAt }) {
      const cookie = randomToken();
      const now = clock.now();
      await db.prisma.consoleSession.create({
        data: {
          idHash: new Uint8Array(sha256(cookie)),
          sessionUid: uid,
          userId,
          acr,
          authTime,
          createdAt: now,
          lastSeenAt: now,
          expiresAt,
        },
      });
      return cookie;
    },
    async find(cookie) {
      const [row] = await db.query<Row>('console-find', FIND, [sha256(cookie), clock.now(), idleSeconds]);
      return (
        row && {
          id: row.id,
          email: row.email,
          name: row.name,
          roles: row.roles,
          sessionUid: row.session_uid,
          acr: row.acr,
          authTime: row.auth_time,
          openApprovals: row.open_approvals,
        }
      );
    },
    async close(cookie) {
      await db.query('console-close', 'DELETE FROM console_session WHERE id_hash = $1', [sha256(cookie)]);
    },
  };
}
