import { Prisma } from '../../generated/prisma/client.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Database, Tx } from '../../platform/db/database.ts';

export interface TeamName {
  id: string;
  name: string;
}

export interface TeamListItem extends TeamName {
  description: string;
  parent: TeamName | null;
  /** People and service accounts in the team itself. */
  members: number;
  /** Roles that it was given itself, and that have effect now. */
  roles: number;
  createdAt: Date;
}

export interface TeamView extends TeamName {
  description: string;
  createdAt: Date;
  updatedAt: Date;
  parent: TeamName | null;
  /** From the top down to its parent. */
  above: TeamName[];
  children: TeamName[];
  managers: { userId: string; email: string; name: string; since: Date }[];
  /** Service accounts that it answers for. */
  owned: TeamName[];
  people: number;
  serviceAccounts: number;
}

export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}

/** One change of what stands under what at a time: of two that would close a circle together, the second sees the first. */
export async function lockTree(tx: Tx): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('team_reach'))`;
}

/** Until the transaction ends, nobody else changes the team or who is in it. */
export async function lockTeam(tx: Tx, id: string): Promise<TeamName | null> {
  const [row] = await tx.$queryRaw<TeamName[]>`SELECT id::text, name FROM team WHERE id = ${id}::uuid FOR UPDATE`;
  return row ?? null;
}

/** The team stays there until the transaction ends. */
export async function keepTeamNamed(tx: Tx, name: string): Promise<TeamName | null> {
  const [row] = await tx.$queryRaw<TeamName[]>`SELECT id::text, name FROM team WHERE name = ${name} FOR KEY SHARE`;
  return row ?? null;
}

export async function findTeamId(db: Tx, by: { id: string } | { name: string }): Promise<string | null> {
  return (await db.team.findUnique({ where: by, select: { id: true } }))?.id ?? null;
}

interface Columns {
  name: string;
  description: string;
  parentId: string | null;
  at: Date;
}

export async function insertTeam(tx: Tx, id: string, { at, ...columns }: Columns): Promise<void> {
  await tx.team.create({ data: { id, ...columns, createdAt: at, updatedAt: at }, select: { id: true } });
  await refreshReach(tx, [id]);
}

export async function updateTeam(tx: Tx, id: string, { at, ...columns }: Columns): Promise<void> {
  await tx.team.update({ where: { id }, data: { ...columns, updatedAt: at }, select: { id: true } });
}

export async function deleteTeam(tx: Tx, id: string): Promise<void> {
  await tx.team.delete({ where: { id }, select: { id: true } });
}

/** The team and all below it, whose reach a change of its parent changes; how many steps below it stands with each. */
export async function subtreeOf(tx: Tx, id: string): Promise<{ ids: string[]; depth: number }> {
  const rows = await tx.$queryRaw<{ id: string; depth: number }[]>`WITH RECURSIVE below (id, depth) AS (
      SELECT ${id}::uuid, 0
      UNION ALL SELECT t.id, b.depth + 1 FROM below b JOIN team t ON t.parent_id = b.id)
    SELECT id::text, depth FROM below`;
  return { ids: rows.map((row) => row.id), depth: Math.max(0, ...rows.map((row) => row.depth)) };
}

/** Names from the top down to this team. */
export async function wayDownTo(tx: Tx, id: string): Promise<TeamName[]> {
  return await tx.$queryRaw<TeamName[]>`WITH RECURSIVE up (id, name, parent_id, step) AS (
      SELECT id, name, parent_id, 0 FROM team WHERE id = ${id}::uuid
      UNION ALL SELECT t.id, t.name, t.parent_id, u.step + 1 FROM up u JOIN team t ON t.id = u.parent_id)
    SELECT id::text, name FROM up ORDER BY step DESC`;
}

/** Makes team_reach say again, for these teams, what their parents say. */
export async function refreshReach(tx: Tx, ids: string[]): Promise<void> {
  const closure = Prisma.sql`WITH RECURSIVE closure (team_id, reaches_id) AS (
      SELECT id, id FROM team WHERE id = ANY(${ids}::uuid[])
      UNION
      SELECT c.team_id, t.parent_id FROM closure c JOIN team t ON t.id = c.reaches_id WHERE t.parent_id IS NOT NULL)`;
  await tx.$executeRaw`${closure} DELETE FROM team_reach r WHERE r.team_id = ANY(${ids}::uuid[])
    AND NOT EXISTS (SELECT FROM closure c WHERE c.team_id = r.team_id AND c.reaches_id = r.reaches_id)`;
  await tx.$executeRaw`${closure} INSERT INTO team_reach (team_id, reaches_id)
    SELECT team_id, reaches_id FROM closure ON CONFLICT DO NOTHING`;
}

const NAMED = { select: { id: true, name: true }, orderBy: { name: 'asc' } } as const;

export async function namesOfChildren(tx: Tx, id: string): Promise<string[]> {
  const rows = await tx.team.findMany({ where: { parentId: id }, ...NAMED });
  return rows.map(({ name }) => name);
}

export async function namesOfOwned(tx: Tx, id: string): Promise<string[]> {
  const rows = await tx.serviceAccount.findMany({ where: { ownerTeamId: id }, ...NAMED });
  return rows.map(({ name }) => name);
}

interface ListRow {
  id: string;
  name: string;
  description: string;
  created_at: Date;
  parent_id: string | null;
  parent_name: string | null;
  members: number;
  roles: number;
}

// The page is cut first: what is counted is counted for its rows alone.
const LIST = (newer: boolean) => `SELECT t.*, p.name AS parent_name,
    (SELECT count(*)::int FROM team_member m WHERE m.team_id = t.id) AS members,
    (SELECT count(*)::int FROM assignment a WHERE a.team_id = t.id AND (a.expires_at IS NULL OR a.expires_at > $5)) AS roles
  FROM (SELECT id, name, description, created_at, parent_id FROM team
    WHERE ($1::text IS NULL OR name ILIKE $1 OR description ILIKE $1)
      AND ($2::timestamptz IS NULL OR (created_at, id) ${newer ? '>' : '<'} ($2, $3::uuid))
    ORDER BY created_at ${newer ? 'ASC' : 'DESC'}, id ${newer ? 'ASC' : 'DESC'} LIMIT $4) t
  LEFT JOIN team p ON p.id = t.parent_id
  ORDER BY t.created_at ${newer ? 'ASC' : 'DESC'}, t.id ${newer ? 'ASC' : 'DESC'}`;

/** Newest first, in one statement. */
export async function listTeams(
  db: Pick<Database, 'query'>,
  filter: { search?: string | undefined; after?: TimeCursor | undefined; now: Date },
): Promise<Page<TeamListItem>> {
  const { search, after, now } = filter;
  const pattern = search ? `%${search.replace(/[\\%_]/g, '\\$&')}%` : null;
  const newer = after?.towards === 'newer';
  const rows = await db.query<ListRow>(`teams.list.${newer ? 'newer' : 'older'}`, LIST(newer), [
    pattern,
    after?.at ?? null,
    after?.id ?? null,
    PAGE_SIZE + 1,
    now,
  ]);
  return toPage(rows, PAGE_SIZE, toItem, (row) => ({ at: row.created_at, id: row.id }), after);
}

function toItem({ created_at: createdAt, parent_id, parent_name, ...row }: ListRow): TeamListItem {
  const parent = parent_id !== null && parent_name !== null ? { id: parent_id, name: parent_name } : null;
  return { ...row, createdAt, parent };
}

export async function findTeam(db: Tx, id: string): Promise<TeamView | null> {
  const row = await db.team.findUnique({
    where: { id },
    include: {
      children: NAMED,
      serviceAccounts: NAMED,
      managers: { include: { user: { select: { email: true, name: true } } }, orderBy: { createdAt: 'asc' } },
    },
  });
  if (!row) return null;
  const { children, serviceAccounts: owned, managers, name, description, createdAt, updatedAt } = row;
  const [above, people, all] = await Promise.all([
    wayDownTo(db, id),
    db.teamMember.count({ where: { teamId: id, userId: { not: null } } }),
    db.teamMember.count({ where: { teamId: id } }),
  ]);
  const higher = above.slice(0, -1);
  return {
    id,
    name,
    description,
    createdAt,
    updatedAt,
    parent: higher.at(-1) ?? null,
    above: higher,
    children,
    owned,
    managers: managers.map(({ userId, user, createdAt: since }) => ({ userId, ...user, since })),
    people,
    serviceAccounts: all - people,
  };
}
