import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import { formatPermissionRef } from '../../kernel/permission-ref.ts';
import type { Tx } from '../../platform/db/database.ts';

/** Who holds a role: a person or a service account. */
export type Holder = { userId: string } | { serviceAccountId: string };

export interface RoleView {
  id: string;
  name: string;
  description: string;
  /** Comes with Postern and stays. */
  builtIn: boolean;
  createdAt: Date;
  /** As `<audience>#<permission>`. */
  permissions: string[];
  /** How many hold it. */
  people: number;
  serviceAccounts: number;
}

const roleColumns = {
  id: true,
  name: true,
  description: true,
  builtIn: true,
  createdAt: true,
  permissions: { select: { permission: { select: { name: true, api: { select: { audience: true } } } } } },
} as const;

type RoleRow = Omit<RoleView, 'permissions' | 'people' | 'serviceAccounts'> & {
  permissions: { permission: { name: string; api: { audience: string } } }[];
};

function toRole({ permissions, ...role }: RoleRow, held: HolderCounts): RoleView {
  const refs = permissions.map(({ permission }) =>
    formatPermissionRef({ audience: permission.api.audience, name: permission.name }),
  );
  return { ...role, permissions: refs.sort(), ...held };
}

interface HolderCounts {
  people: number;
  serviceAccounts: number;
}

/** By role id; a role that nobody holds is not in it. */
async function countHolders(db: Tx, roleId?: string): Promise<Map<string, HolderCounts>> {
  const rows = await db.assignment.groupBy({
    by: ['roleId'],
    where: roleId === undefined ? {} : { roleId },
    _count: { userId: true, serviceAccountId: true },
  });
  return new Map(
    rows.map((row) => [row.roleId, { people: row._count.userId, serviceAccounts: row._count.serviceAccountId }]),
  );
}

const NOBODY: HolderCounts = { people: 0, serviceAccounts: 0 };

export async function insertRole(
  tx: Tx,
  role: { id: string; name: string; description: string; createdAt: Date; permissionIds: string[] },
): Promise<void> {
  const { permissionIds, ...columns } = role;
  await tx.role.create({ data: columns, select: { id: true } });
  await tx.roleReach.create({ data: { roleId: role.id, reachesId: role.id }, select: { roleId: true } });
  await tx.rolePermission.createMany({
    data: permissionIds.map((permissionId) => ({ roleId: role.id, permissionId })),
  });
}

export async function listRoles(db: Tx): Promise<RoleView[]> {
  const [rows, held] = await Promise.all([
    db.role.findMany({ orderBy: [{ builtIn: 'desc' }, { name: 'asc' }], select: roleColumns }),
    countHolders(db),
  ]);
  return rows.map((row) => toRole(row, held.get(row.id) ?? NOBODY));
}

export async function findRole(db: Tx, by: { id: string } | { name: string }): Promise<RoleView | null> {
  const row = await db.role.findUnique({ where: by, select: roleColumns });
  return row && toRole(row, (await countHolders(db, row.id)).get(row.id) ?? NOBODY);
}

/** Until the transaction ends, nobody else changes this role or who holds it. */
export async function lockRole(tx: Tx, name: string): Promise<{ id: string } | null> {
  const [row] = await tx.$queryRaw<{ id: string }[]>`SELECT id::text FROM role WHERE name = ${name} FOR UPDATE`;
  return row ?? null;
}

export async function setDescription(tx: Tx, id: string, description: string): Promise<void> {
  await tx.role.update({ where: { id }, data: { description }, select: { id: true } });
}

export async function replaceRolePermissions(tx: Tx, roleId: string, permissionIds: string[]): Promise<void> {
  await tx.rolePermission.deleteMany({ where: { roleId, permissionId: { notIn: permissionIds } } });
  await tx.rolePermission.createMany({
    data: permissionIds.map((permissionId) => ({ roleId, permissionId })),
    skipDuplicates: true,
  });
}

export async function deleteRole(tx: Tx, id: string): Promise<boolean> {
  const { count } = await tx.role.deleteMany({ where: { id, builtIn: false } });
  return count > 0;
}

/** False where the holder has the role already. */
export async function insertAssignment(
  tx: Tx,
  assignment: { id: string; roleId: string; holder: Holder; grantedBy: string; createdAt: Date },
): Promise<boolean> {
  const { holder, ...columns } = assignment;
  const { count } = await tx.assignment.createMany({ data: { ...columns, ...holder }, skipDuplicates: true });
  return count > 0;
}

export async function deleteAssignment(tx: Tx, roleId: string, holder: Holder): Promise<boolean> {
  const { count } = await tx.assignment.deleteMany({ where: { roleId, ...holder } });
  return count > 0;
}

export async function roleNames(db: Tx, holder: Holder, now: Date): Promise<string[]> {
  const rows = await db.assignment.findMany({
    where: { ...holder, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
    select: { role: { select: { name: true } } },
  });
  return rows.map((row) => row.role.name).sort();
}

/** What a holder is called, and for a service account the client whose cached state a change makes stale. */
export async function findHolder(
  db: Tx,
  holder: Holder,
): Promise<{ name: string; clientId: string | undefined } | null> {
  if ('userId' in holder) {
    const user = await db.user.findUnique({ where: { id: holder.userId }, select: { email: true } });
    return user && { name: user.email, clientId: undefined };
  }
  return await db.serviceAccount.findUnique({
    where: { id: holder.serviceAccountId },
    select: { name: true, clientId: true },
  });
}

export async function holdsRole(db: Tx, roleId: string, userId: string): Promise<boolean> {
  return (await db.assignment.count({ where: { roleId, userId } })) > 0;
}

/** People besides this one who hold the role and can sign in. */
export async function countOtherHolders(db: Tx, roleId: string, userId: string, now: Date): Promise<number> {
  return await db.assignment.count({
    where: {
      roleId,
      userId: { not: userId },
      user: { status: 'active' },
      OR: [{ expiresAt: null }, { expiresAt: { gt: now } }],
    },
  });
}

export interface HolderView {
  holder: Holder;
  /** E-mail address of a person, name of a service account. */
  name: string;
  /** Name of a person, client id of a service account. */
  detail: string;
  since: Date;
}

/** Newest first. */
export async function listHolders(db: Tx, roleId: string, cursor: TimeCursor | undefined): Promise<Page<HolderView>> {
  const backwards = cursor?.towards === 'newer';
  const rows = await db.assignment.findMany({
    where: { roleId, ...beyond(cursor) },
    orderBy: backwards ? [{ createdAt: 'asc' }, { id: 'asc' }] : [{ createdAt: 'desc' }, { id: 'desc' }],
    take: PAGE_SIZE + 1,
    select: {
      id: true,
      createdAt: true,
      user: { select: { id: true, email: true, name: true } },
      serviceAccount: { select: { id: true, name: true, clientId: true } },
    },
  });
  return toPage(rows, PAGE_SIZE, toHolder, ({ createdAt, id }) => ({ at: createdAt, id }), cursor);
}

function beyond(cursor: TimeCursor | undefined) {
  if (!cursor) return {};
  const { at, id } = cursor;
  return cursor.towards === 'newer'
    ? { OR: [{ createdAt: { gt: at } }, { createdAt: at, id: { gt: id } }] }
    : { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: id } }] };
}

function toHolder(row: {
  createdAt: Date;
  user: { id: string; email: string; name: string } | null;
  serviceAccount: { id: string; name: string; clientId: string } | null;
}): HolderView {
  const { createdAt: since, user, serviceAccount } = row;
  if (user) return { holder: { userId: user.id }, name: user.email, detail: user.name, since };
  // The database holds every assignment to exactly one of the two.
  if (!serviceAccount) throw new Error('an assignment has no holder');
  const { id: serviceAccountId, name, clientId } = serviceAccount;
  return { holder: { serviceAccountId }, name, detail: clientId, since };
}

/** A person by e-mail address, or a service account by name or client_id. */
export async function findHolderByName(db: Tx, text: string): Promise<Holder | null> {
  const emailNormalized = text.normalize('NFKC').trim().toLowerCase();
  const user = await db.user.findUnique({ where: { emailNormalized }, select: { id: true } });
  if (user) return { userId: user.id };
  const account = await db.serviceAccount.findFirst({
    where: { OR: [{ name: text.trim() }, { clientId: text.trim() }] },
    select: { id: true },
  });
  return account && { serviceAccountId: account.id };
}
