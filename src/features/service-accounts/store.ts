import { Prisma } from '../../generated/prisma/client.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import { formatPermissionRef } from '../../kernel/permission-ref.ts';
import type { Tx } from '../../platform/db/database.ts';
import { keyset } from '../../platform/db/keyset.ts';

export interface ServiceAccountListItem {
  id: string;
  clientId: string;
  name: string;
  description: string;
  permissionCount: number;
  /** The team that answers for it. */
  ownerTeam: { id: string; name: string } | null;
  /** Whom to ask about it. */
  contact: string;
  createdAt: Date;
  disabledAt: Date | null;
  /** To the minute or so; null: never. */
  lastUsedAt: Date | null;
}

/** What is left out stays, or is not there yet. */
interface Ownership {
  ownerTeamId?: string | null | undefined;
  contact?: string | undefined;
}

function given({ ownerTeamId, contact }: Ownership) {
  return { ...(ownerTeamId === undefined ? {} : { ownerTeamId }), ...(contact === undefined ? {} : { contact }) };
}

export interface ServiceAccountRow extends Omit<ServiceAccountListItem, 'permissionCount'> {
  updatedAt: Date;
  /** As `<audience>#<permission>`. */
  permissions: string[];
}

const listColumns = {
  id: true,
  clientId: true,
  name: true,
  description: true,
  ownerTeam: { select: { id: true, name: true } },
  contact: true,
  createdAt: true,
  disabledAt: true,
  lastUsedAt: true,
} as const;

export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}

export async function insertServiceAccount(
  tx: Tx,
  account: { id: string; clientId: string; name: string; description: string; at: Date } & Ownership,
): Promise<void> {
  const { at, id, clientId, name, description } = account;
  const columns = { id, clientId, name, description, ...given(account) };
  await tx.serviceAccount.create({ data: { ...columns, createdAt: at, updatedAt: at }, select: { id: true } });
}

export async function listServiceAccounts(
  db: Tx,
  filter: { search?: string | undefined; unusedSince?: Date | undefined; after?: TimeCursor | undefined },
): Promise<Page<ServiceAccountListItem>> {
  const { where, orderBy } = keyset('id', filter.after);
  const rows = await db.serviceAccount.findMany({
    where: { AND: [matching(filter.search), unused(filter.unusedSince), where] },
    orderBy,
    take: PAGE_SIZE + 1,
    select: { ...listColumns, _count: { select: { permissions: true } } },
  });
  return toPage(
    rows,
    PAGE_SIZE,
    ({ _count, ...account }) => ({ ...account, permissionCount: _count.permissions }),
    (account) => ({ at: account.createdAt, id: account.id }),
    filter.after,
  );
}

function matching(search: string | undefined): Prisma.ServiceAccountWhereInput {
  if (!search) return {};
  const text = search.replace(/[\\%_]/g, '\\$&');
  const contains = { contains: text, mode: 'insensitive' as const };
  return { OR: [{ name: contains }, { description: contains }, { clientId: { startsWith: text } }] };
}

/** One that is newer than that had no time to be used. */
function unused(since: Date | undefined): Prisma.ServiceAccountWhereInput {
  if (!since) return {};
  return { createdAt: { lt: since }, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: since } }] };
}

export async function findServiceAccount(
  db: Tx,
  by: { id: string } | { clientId: string } | { name: string },
): Promise<ServiceAccountRow | null> {
  const row = await db.serviceAccount.findUnique({
    where: by,
    select: {
      ...listColumns,
      updatedAt: true,
      permissions: { select: { permission: { select: { name: true, api: { select: { audience: true } } } } } },
    },
  });
  if (!row) return null;
  const permissions = row.permissions.map(({ permission }) =>
    formatPermissionRef({ audience: permission.api.audience, name: permission.name }),
  );
  return { ...row, permissions: permissions.sort() };
}

/** Until the transaction ends, nobody else changes this account. */
export async function lockServiceAccount(tx: Tx, id: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 AS locked FROM service_account WHERE id = ${id}::uuid FOR UPDATE`;
}

export async function updateServiceAccount(
  tx: Tx,
  id: string,
  change: { name: string; description: string; at: Date } & Ownership,
): Promise<void> {
  const { at, name, description } = change;
  await tx.serviceAccount.updateMany({ where: { id }, data: { name, description, ...given(change), updatedAt: at } });
}

export async function replacePermissions(tx: Tx, id: string, permissionIds: string[], at: Date): Promise<void> {
  await tx.serviceAccountPermission.deleteMany({
    where: { serviceAccountId: id, permissionId: { notIn: permissionIds } },
  });
  await tx.serviceAccountPermission.createMany({
    data: permissionIds.map((permissionId) => ({ serviceAccountId: id, permissionId })),
    skipDuplicates: true,
  });
  await tx.serviceAccount.updateMany({ where: { id }, data: { updatedAt: at } });
}

/** False where it was so already. */
export async function setServiceAccountDisabled(tx: Tx, id: string, disabled: boolean, at: Date): Promise<boolean> {
  const { count } = await tx.serviceAccount.updateMany({
    where: { id, disabledAt: disabled ? null : { not: null } },
    data: { disabledAt: disabled ? at : null, updatedAt: at },
  });
  return count > 0;
}
