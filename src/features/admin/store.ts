import type { Database } from '../../platform/db/database.ts';

/** The figures of an installation, each a plain number. */
export interface Figures {
  users: number;
  invited: number;
  disabled: number;
  admins: number;
  /** Active accounts that set up no second factor yet. */
  without_factor: number;
  /** Invited accounts for whom no link works any more. */
  stale_invites: number;
  sessions: number;
  service_accounts: number;
  applications: number;
  apis: number;
  /** Days since the oldest of the keys that sign began to. */
  key_days: number;
}

// One round trip; each part reads an index or a table of hundreds to thousands of rows.
const FIGURES = `SELECT
    u.users, u.invited, u.disabled, u.without_factor, u.stale_invites,
    (SELECT count(*)::int FROM assignment a JOIN role r ON r.id = a.role_id JOIN user_account x ON x.id = a.user_id
      WHERE r.name = 'admin' AND x.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > $1)) AS admins,
    (SELECT count(*)::int FROM session WHERE user_id IS NOT NULL AND expires_at > $1) AS sessions,
    (SELECT count(*)::int FROM service_account) AS service_accounts,
    (SELECT count(*)::int FROM client WHERE type <> 'service') AS applications,
    (SELECT count(*)::int FROM api) AS apis,
    (SELECT coalesce(max(extract(day FROM $1 - activated_at))::int, 0) FROM signing_key WHERE status = 'active') AS key_days
  FROM (SELECT count(*)::int AS users,
      (count(*) FILTER (WHERE status = 'invited'))::int AS invited,
      (count(*) FILTER (WHERE status = 'disabled'))::int AS disabled,
      (count(*) FILTER (WHERE status = 'active' AND NOT EXISTS (
        SELECT FROM totp_factor t WHERE t.user_id = a.id AND t.confirmed_at IS NOT NULL)))::int AS without_factor,
      (count(*) FILTER (WHERE status = 'invited' AND NOT EXISTS (
        SELECT FROM one_time_link l WHERE l.user_id = a.id AND l.kind = 'invite' AND l.used_at IS NULL AND l.expires_at > $1
      )))::int AS stale_invites
    FROM user_account a) u`;

export async function readFigures(db: Pick<Database, 'query'>, at: Date): Promise<Figures> {
  const [figures] = await db.query<Figures>('admin.figures', FIGURES, [at]);
  if (!figures) throw new Error('the figures query answered no row');
  return figures;
}
