import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { TeamName } from './store.ts';

/** A person or a service account. */
export type Member = { userId: string } | { serviceAccountId: string };

export interface NamedMember {
  member: Member;
  /** E-mail address of a person, name of a service account. */
  name: string;
  /** Of a service account: the client whose cached groups and roles a change makes stale. */
  clientId: string | undefined;
}

export interface MemberView {
  /** Of the membership. */
  id: string;
  member: Member;
  name: string;
  /** Name of a person, client id of a service account. */
  detail: string;
  since: Date;
}

/** A person by e-mail address, or a service account by client_id or name. It stays there until the transaction ends. */
export async function findMemberByName(tx: Tx, text: string): Promise<NamedMember | null> {
  const person = await findPerson(tx, text);
  if (person) return { member: { userId: person.id }, name: person.name, clientId: undefined };
  const name = text.trim();
  const [account] = await tx.$queryRaw<(TeamName & { client_id: string })[]>`
    SELECT id::text, name, client_id FROM service_account WHERE client_id = ${name} OR name = ${name}
    ORDER BY client_id = ${name} DESC LIMIT 1 FOR KEY SHARE`;
  return account ? { member: { serviceAccountId: account.id }, name: account.name, clientId: account.client_id } : null;
}

/** By e-mail address, in any of its spellings; `name` is the address. */
export async function findPerson(tx: Tx, text: string): Promise<TeamName | null> {
  const email = text.normalize('NFKC').trim().toLowerCase();
  const [person] = await tx.$queryRaw<TeamName[]>`
    SELECT id::text, email AS name FROM user_account WHERE email_normalized = ${email} FOR KEY SHARE`;
  return person ?? null;
}

/** False where it is a member already. */
export async function insertMember(
  tx: Tx,
  row: { id: string; teamId: string; member: Member; addedBy: string; createdAt: Date },
): Promise<boolean> {
  const { member, ...columns } = row;
  const { count } = await tx.teamMember.createMany({ data: { ...columns, ...member }, skipDuplicates: true });
  return count > 0;
}

/** The member that was taken out, or null where there is none of this id in the team. */
export async function deleteMember(tx: Tx, teamId: string, id: string): Promise<NamedMember | null> {
  const row = await tx.teamMember.findFirst({ where: { id, teamId }, select: memberColumns });
  if (!row || (await tx.teamMember.deleteMany({ where: { id, teamId } })).count === 0) return null;
  const { member, name } = toMember(row);
  return { member, name, clientId: row.serviceAccount?.clientId };
}

export async function insertManager(tx: Tx, teamId: string, userId: string, at: Date): Promise<boolean> {
  const data = { teamId, userId, createdAt: at };
  return (await tx.teamManager.createMany({ data, skipDuplicates: true })).count > 0;
}

/** The e-mail address of who was taken away. */
export async function deleteManager(tx: Tx, teamId: string, userId: string): Promise<string | null> {
  const key = { teamId_userId: { teamId, userId } };
  const row = await tx.teamManager.findUnique({ where: key, select: { user: { select: { email: true } } } });
  if (!row) return null;
  const { count } = await tx.teamManager.deleteMany({ where: { teamId, userId } });
  return count > 0 ? row.user.email : null;
}

const memberColumns = {
  id: true,
  createdAt: true,
  user: { select: { id: true, email: true, name: true } },
  serviceAccount: { select: { id: true, name: true, clientId: true } },
} as const;

interface MemberRow {
  id: string;
  createdAt: Date;
  user: { id: string; email: string; name: string } | null;
  serviceAccount: { id: string; name: string; clientId: string } | null;
}

function toMember({ id, createdAt: since, user, serviceAccount }: MemberRow): MemberView {
  if (user) return { id, since, member: { userId: user.id }, name: user.email, detail: user.name };
  // The database holds every membership to exactly one of the two.
  if (!serviceAccount) throw new Error('a membership has no member');
  const { id: serviceAccountId, name, clientId } = serviceAccount;
  return { id, since, member: { serviceAccountId }, name, detail: clientId };
}

/** Newest first. */
export async function listMembers(db: Tx, teamId: string, cursor: TimeCursor | undefined): Promise<Page<MemberView>> {
  const backwards = cursor?.towards === 'newer';
  const rows = await db.teamMember.findMany({
    where: { teamId, ...beyond(cursor) },
    orderBy: backwards ? [{ createdAt: 'asc' }, { id: 'asc' }] : [{ createdAt: 'desc' }, { id: 'desc' }],
    take: PAGE_SIZE + 1,
    select: memberColumns,
  });
  return toPage(rows, PAGE_SIZE, toMember, ({ createdAt, id }) => ({ at: createdAt, id }), cursor);
}

function beyond(cursor: TimeCursor | undefined) {
  if (!cursor) return {};
  const { at, id } = cursor;
  return cursor.towards === 'newer'
    ? { OR: [{ createdAt: { gt: at } }, { createdAt: at, id: { gt: id } }] }
    : { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: id } }] };
}

/** A team that somebody is in; `through`: the member's own team under it, where it is not that one itself. */
export interface TeamOf extends TeamName {
  through: TeamName | null;
}

const TEAMS_OF = (column: 'user_id' | 'service_account_id') => `SELECT DISTINCT ON (t.name, t.id) t.id, t.name,
    CASE WHEN m.team_id <> t.id THEN own.id END AS own_id, CASE WHEN m.team_id <> t.id THEN own.name END AS own_name
  FROM team_member m JOIN team_reach x ON x.team_id = m.team_id JOIN team t ON t.id = x.reaches_id
    JOIN team own ON own.id = m.team_id
  WHERE m.${column} = $1 ORDER BY t.name, t.id, m.team_id <> t.id, own.name`;

/** The teams of a person or a service account and those above them: what stands in tokens as groups. */
export async function teamsOf(db: Pick<Database, 'query'>, member: Member): Promise<TeamOf[]> {
  const [column, id] =
    'userId' in member
      ? (['user_id', member.userId] as const)
      : (['service_account_id', member.serviceAccountId] as const);
  const rows = await db.query<TeamName & { own_id: string | null; own_name: string | null }>(
    `teams.of.${column}`,
    TEAMS_OF(column),
    [id],
  );
  return rows.map(({ id: teamId, name, own_id, own_name }) => ({
    id: teamId,
    name,
    through: own_id !== null && own_name !== null ? { id: own_id, name: own_name } : null,
  }));
}
