import { formatPermissionRef } from '../../kernel/permission-ref.ts';
import type { Tx } from '../../platform/db/database.ts';
import { liveAt } from './assignment-store.ts';

export interface RoleView {
  id: string;
  name: string;
  description: string;
  /** Comes with Postern and stays. */
  builtIn: boolean;
  createdAt: Date;
  /** As `<audience>#<permission>`. */
  permissions: string[];
  /** Names of the roles that it includes by itself. */
  includes: string[];
  /** How many it is given to now. */
  people: number;
  serviceAccounts: number;
  teams: number;
}

const roleColumns = {
  id: true,
  name: true,
  description: true,
  builtIn: true,
  createdAt: true,
  permissions: { select: { permission: { select: { name: true, api: { select: { audience: true } } } } } },
  includes: { select: { included: { select: { name: true } } }, orderBy: { included: { name: 'asc' } } },
} as const;

type RoleRow = Omit<RoleView, 'permissions' | 'includes' | keyof HolderCounts> & {
  permissions: { permission: { name: string; api: { audience: string } } }[];
  includes: { included: { name: string } }[];
};

function toRole({ permissions, includes, ...role }: RoleRow, held: HolderCounts): RoleView {
  const refs = permissions.map(({ permission }) =>
    formatPermissionRef({ audience: permission.api.audience, name: permission.name }),
  );
  return { ...role, permissions: refs.sort(), includes: includes.map(({ included }) => included.name), ...held };
}

interface HolderCounts {
  people: number;
  serviceAccounts: number;
  teams: number;
}

async function countHolders(db: Tx, now: Date, roleId: string): Promise<HolderCounts> {
  const { _count } = await db.assignment.aggregate({
    where: { roleId, ...liveAt(now) },
    _count: { userId: true, serviceAccountId: true, teamId: true },
  });
  return { people: _count.userId, serviceAccounts: _count.serviceAccountId, teams: _count.teamId };
}

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

export async function findRole(db: Tx, name: string, now: Date): Promise<RoleView | null> {
  const row = await db.role.findUnique({ where: { name }, select: roleColumns });
  return row && toRole(row, await countHolders(db, now, row.id));
}

/** Until the transaction ends, nobody else changes this role or who holds it. */
export async function lockRole(tx: Tx, name: string): Promise<{ id: string; name: string; builtIn: boolean } | null> {
  const [row] = await tx.$queryRaw<{ id: string; name: string; builtIn: boolean }[]>`
    SELECT id::text, name, built_in AS "builtIn" FROM role WHERE name = ${name} FOR UPDATE`;
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
