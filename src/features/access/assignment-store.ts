import type { Prisma } from '../../generated/prisma/client.ts';
import { isId } from '../../kernel/ids.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import type { Tx } from '../../platform/db/database.ts';

/** Who holds a role: a person, a service account or a team. */
export type Holder = { userId: string } | { serviceAccountId: string } | { teamId: string };

/** An assignment that has effect at `at`. */
export const liveAt = (at: Date) => ({ OR: [{ expiresAt: null }, { expiresAt: { gt: at } }] });

export interface AssignmentRow {
  id: string;
  expiresAt: Date | null;
}

export async function findAssignment(tx: Tx, roleId: string, holder: Holder): Promise<AssignmentRow | null> {
  return await tx.assignment.findFirst({ where: { roleId, ...holder }, select: { id: true, expiresAt: true } });
}

export async function insertAssignment(
  tx: Tx,
  assignment: {
    id: string;
    roleId: string;
    holder: Holder;
    grantedBy: string;
    createdAt: Date;
    expiresAt: Date | null;
  },
): Promise<void> {
  const { holder, ...columns } = assignment;
  await tx.assignment.create({ data: { ...columns, ...holder }, select: { id: true } });
}

export async function updateAssignment(
  tx: Tx,
  id: string,
  change: { grantedBy: string; expiresAt: Date | null; createdAt?: Date },
): Promise<void> {
  await tx.assignment.update({ where: { id }, data: change, select: { id: true } });
}

export async function deleteAssignment(tx: Tx, roleId: string, holder: Holder): Promise<boolean> {
  const { count } = await tx.assignment.deleteMany({ where: { roleId, ...holder } });
  return count > 0;
}

/**
 * What a holder is called, and for a service account the client whose cached state a change makes stale. It stays there
 * until the transaction ends.
 */
export async function lockHolder(
  tx: Tx,
  holder: Holder,
): Promise<{ name: string; clientId: string | undefined } | null> {
  const rows = await ('userId' in holder
    ? tx.$queryRaw<NamedRow[]>`SELECT email AS name FROM user_account WHERE id = ${holder.userId}::uuid FOR KEY SHARE`
    : 'teamId' in holder
      ? tx.$queryRaw<NamedRow[]>`SELECT name FROM team WHERE id = ${holder.teamId}::uuid FOR KEY SHARE`
      : tx.$queryRaw<NamedRow[]>`SELECT name, client_id FROM service_account
          WHERE id = ${holder.serviceAccountId}::uuid FOR KEY SHARE`);
  const [row] = rows;
  return row ? { name: row.name, clientId: row.client_id } : null;
}

interface NamedRow {
  name: string;
  client_id?: string;
}

/** Whether the person holds the role with no end to it. */
export async function holdsForGood(db: Tx, roleId: string, userId: string): Promise<boolean> {
  return (await db.assignment.count({ where: { roleId, userId, expiresAt: null } })) > 0;
}

/** People besides this one who can sign in and hold the role with no end to it. */
export async function countOthersForGood(db: Tx, roleId: string, userId: string): Promise<number> {
  return await db.assignment.count({
    where: { roleId, userId: { not: userId }, user: { status: 'active' }, expiresAt: null },
  });
}

/** Who made an assignment, as text for a page: an e-mail address where it is a person who is still there. */
export interface Granter {
  /** Absent where it was not a person, or one who is gone. */
  userId?: string;
  name: string;
}

export interface HolderView {
  holder: Holder;
  /** E-mail address of a person, name of a service account or team. */
  name: string;
  /** Name of a person, client id of a service account. */
  detail: string;
  since: Date;
  expiresAt: Date | null;
  expired: boolean;
  grantedBy: Granter;
}

const holderColumns = {
  id: true,
  createdAt: true,
  expiresAt: true,
  grantedBy: true,
  user: { select: { id: true, email: true, name: true } },
  serviceAccount: { select: { id: true, name: true, clientId: true } },
  team: { select: { id: true, name: true } },
} as const;

type HolderRow = Prisma.AssignmentGetPayload<{ select: typeof holderColumns }>;

/** Newest first; those whose time is over, too. */
export async function listHolders(
  db: Tx,
  roleId: string,
  cursor: TimeCursor | undefined,
  now: Date,
): Promise<Page<HolderView>> {
  const backwards = cursor?.towards === 'newer';
  const rows = await db.assignment.findMany({
    where: { roleId, ...beyond(cursor) },
    orderBy: backwards ? [{ createdAt: 'asc' }, { id: 'asc' }] : [{ createdAt: 'desc' }, { id: 'desc' }],
    take: PAGE_SIZE + 1,
    select: holderColumns,
  });
  const granters = await namesOfGranters(
    db,
    rows.map((row) => row.grantedBy),
  );
  const view = (row: HolderRow) => toHolder(row, granters(row.grantedBy), now);
  return toPage(rows, PAGE_SIZE, view, ({ createdAt, id }) => ({ at: createdAt, id }), cursor);
}

/** `granted_by` holds the id of a person, or who else it was. */
async function namesOfGranters(db: Tx, values: readonly string[]): Promise<(value: string) => Granter> {
  const ids = [...new Set(values)].filter(isId);
  const people =
    ids.length === 0 ? [] : await db.user.findMany({ where: { id: { in: ids } }, select: { id: true, email: true } });
  const emails = new Map(people.map(({ id, email }) => [id, email]));
  return (value) => {
    const email = emails.get(value);
    return email === undefined ? { name: value } : { userId: value, name: email };
  };
}

function beyond(cursor: TimeCursor | undefined) {
  if (!cursor) return {};
  const { at, id } = cursor;
  return cursor.towards === 'newer'
    ? { OR: [{ createdAt: { gt: at } }, { createdAt: at, id: { gt: id } }] }
    : { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: id } }] };
}

function toHolder(row: HolderRow, grantedBy: Granter, now: Date): HolderView {
  const { createdAt: since, expiresAt, user, serviceAccount, team } = row;
  const terms = { since, expiresAt, expired: expiresAt !== null && expiresAt <= now, grantedBy };
  if (user) return { ...terms, holder: { userId: user.id }, name: user.email, detail: user.name };
  if (team) return { ...terms, holder: { teamId: team.id }, name: team.name, detail: '' };
  // The database holds every assignment to exactly one of the three.
  if (!serviceAccount) throw new Error('an assignment has no holder');
  const { id: serviceAccountId, name, clientId } = serviceAccount;
  return { ...terms, holder: { serviceAccountId }, name, detail: clientId };
}

/** People by e-mail address, service accounts by name or client_id, teams by name: whoever the text can mean. */
export async function findHoldersByName(db: Tx, text: string): Promise<Holder[]> {
  const emailNormalized = text.normalize('NFKC').trim().toLowerCase();
  const user = await db.user.findUnique({ where: { emailNormalized }, select: { id: true } });
  if (user) return [{ userId: user.id }];
  const name = text.trim();
  const [account, team] = [
    await db.serviceAccount.findFirst({ where: { OR: [{ clientId: name }, { name }] }, select: { id: true } }),
    await db.team.findUnique({ where: { name }, select: { id: true } }),
  ];
  return [...(account ? [{ serviceAccountId: account.id }] : []), ...(team ? [{ teamId: team.id }] : [])];
}
