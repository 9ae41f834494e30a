import type { Database } from '../../platform/db/database.ts';
import type { Granter, Holder } from './assignment-store.ts';

/** A role that somebody holds, and why. */
export interface HeldRole {
  role: string;
  description: string;
  builtIn: boolean;
  /** `direct`: given to the holder. `team`: to a team that the holder is in or under. `included`: another role brings it. */
  source: 'direct' | 'team' | 'included';
  team?: { id: string; name: string };
  /** The role that includes it. */
  includedIn?: string;
  /** Of the assignment; an included role ends with the one that brings it. */
  expiresAt: Date | null;
  /** Only what was given directly is listed beyond its end. */
  expired: boolean;
  since: Date | null;
  grantedBy: Granter | null;
}

interface Row {
  role: string;
  description: string;
  built_in: boolean;
  source: HeldRole['source'];
  team_id: string | null;
  team_name: string | null;
  included_in: string | null;
  expires_at: Date | null;
  expired: boolean;
  since: Date | null;
  granted_by: string | null;
  granter_id: string | null;
  granter: string | null;
}

const COLUMN = { userId: 'user_id', serviceAccountId: 'service_account_id', teamId: 'team_id' } as const;
type Kind = keyof typeof COLUMN;

function kindOf(holder: Holder): { kind: Kind; id: string } {
  if ('userId' in holder) return { kind: 'userId', id: holder.userId };
  if ('teamId' in holder) return { kind: 'teamId', id: holder.teamId };
  return { kind: 'serviceAccountId', id: holder.serviceAccountId };
}

/** By teams: of a team those above it, of everybody else those that they are members of and what is above these. */
function byTeams(kind: Kind): string {
  const teams =
    kind === 'teamId'
      ? 'SELECT reaches_id FROM team_reach WHERE team_id = $1 AND reaches_id <> $1'
      : `SELECT t.reaches_id FROM team_member m JOIN team_reach t ON t.team_id = m.team_id WHERE m.${COLUMN[kind]} = $1`;
  return `SELECT a.* FROM assignment a WHERE a.team_id IN (${teams})`;
}

// A built-in role counts only where it was given directly (console/store.ts holds to the same).
const HELD = (kind: Kind) => `WITH given AS (
    SELECT a.*, 'direct' AS source FROM assignment a WHERE a.${COLUMN[kind]} = $1
    UNION ALL SELECT x.*, 'team' FROM (${byTeams(kind)}) x WHERE x.expires_at IS NULL OR x.expires_at > $2
  )
  SELECT r.name AS role, r.description, r.built_in, g.source, t.id AS team_id, t.name AS team_name, NULL AS included_in,
      g.expires_at, coalesce(g.expires_at <= $2, false) AS expired, g.created_at AS since, g.granted_by,
      u.id AS granter_id, u.email AS granter
    FROM given g JOIN role r ON r.id = g.role_id LEFT JOIN team t ON t.id = g.team_id AND g.source = 'team'
      LEFT JOIN user_account u ON u.id = CASE WHEN g.granted_by ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        THEN g.granted_by::uuid END
  UNION ALL
  SELECT DISTINCT r.name, r.description, r.built_in, 'included', NULL::uuid, NULL, by.name,
      NULL::timestamptz, false, NULL::timestamptz, NULL, NULL::uuid, NULL
    FROM given g JOIN role_reach x ON x.role_id = g.role_id AND x.reaches_id <> g.role_id
      JOIN role r ON r.id = x.reaches_id JOIN role by ON by.id = g.role_id
    WHERE g.expires_at IS NULL OR g.expires_at > $2
  ORDER BY built_in DESC, role, source, team_name, included_in`;

/** Every role of a holder with each of its sources, by name. */
export async function heldBy(db: Pick<Database, 'query'>, holder: Holder, now: Date): Promise<HeldRole[]> {
  const { kind, id } = kindOf(holder);
  const rows = await db.query<Row>(`access.held-by.${kind}`, HELD(kind), [id, now]);
  return rows.map((row) => ({
    role: row.role,
    description: row.description,
    builtIn: row.built_in,
    source: row.source,
    ...(row.team_id !== null && row.team_name !== null ? { team: { id: row.team_id, name: row.team_name } } : {}),
    ...(row.included_in === null ? {} : { includedIn: row.included_in }),
    expiresAt: row.expires_at,
    expired: row.expired,
    since: row.since,
    grantedBy: granter(row),
  }));
}

function granter({ granted_by, granter_id, granter }: Row): Granter | null {
  if (granted_by === null) return null;
  return granter_id !== null && granter !== null ? { userId: granter_id, name: granter } : { name: granted_by };
}
