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
  holders: number;
}

const roleColumns = {
  id: true,
  name: true,
  description: true,
  builtIn: true,
  createdAt: true,
  permissions: { select: { permission: { select: { name: true, api: { select: { audience: true } } } } } },
  _count: { select: { assignments: true } },
} as const;

type RoleRow = Omit<RoleView, 'permissions' | 'holders'> & {
  permissions: { permission: { name: string; api: { audience: string } } }[];
  _count: { assignments: number };
};

function toRole({ permissions, _count, ...role }: RoleRow): RoleView {
  const refs = permissions.map(({ permission }) =>
    formatPermissionRef({ audience: permission.api.audience, name: permission.name }),
  );
  return { ...role, permissions: refs.sort(), holders: _count.assignments };
}

export async function insertRole(
  tx: Tx,
  role: { id: string; name: string; description: string; createdAt: Date; permissionIds: string[] },
): Promise<void> {
  const { permissionIds, ...columns } = role;
  await tx.role.create({ data: columns, select: { id: true } });
  await tx.rolePermission.createMany({
    data: permissionIds.map((permissionId) => ({ roleId: role.id, permissionId })),
  });
}

export async function listRoles(db: Tx): Promise<RoleView[]> {
  const rows = await db.role.findMany({ orderBy: [{ builtIn: 'desc' }, { name: 'asc' }], select: roleColumns });
  return rows.map(toRole);
}

export async function findRole(db: Tx, by: { id: string } | { name: string }): Promise<RoleView | null> {
  const row = await db.role.findUnique({ where: by, select: roleColumns });
  return row ? toRole(row) : null;
}

/** Until the transaction ends, nobody else changes this role or who holds it. */
export async function lockRole(tx: Tx, name: string): Promise<{ id: string } | null> {
  const [row] = await tx.$queryRaw<{ id: string }[]>`SELECT id::text FROM role WHERE name = ${name} FOR UPDATE`;
  return row ?? null;
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
  since: Date;
}

/** Newest first. */
export async function listHolders(db: Tx, roleId: string, limit: number): Promise<HolderView[]> {
  const rows = await db.assignment.findMany({
    where: { roleId },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit,
    select: {
      createdAt: true,
      user: { select: { id: true, email: true } },
      serviceAccount: { select: { id: true, name: true } },
    },
  });
  return rows.flatMap(({ createdAt: since, user, serviceAccount }): HolderView[] => {
    if (user) return [{ holder: { userId: user.id }, name: user.email, since }];
    if (serviceAccount) return [{ holder: { serviceAccountId: serviceAccount.id }, name: serviceAccount.name, since }];
    return [];
  });
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
