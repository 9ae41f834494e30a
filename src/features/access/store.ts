import { Prisma } from '../../generated/prisma/client.ts';
import type { ClaimProfile, SigningAlg, TokenFormat } from '../../kernel/access-token.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import { formatPermissionRef, type PermissionRef } from '../../kernel/permission-ref.ts';
import type { Tx } from '../../platform/db/database.ts';
import { keyset } from '../../platform/db/keyset.ts';

/** What a check in the database holds to the known words. */
interface TokenForm {
  tokenFormat: TokenFormat;
  signingAlg: SigningAlg;
  claimProfile: ClaimProfile;
}

export interface ApiListItem extends TokenForm {
  id: string;
  audience: string;
  name: string;
  tokenTtl: number;
  permissionCount: number;
  createdAt: Date;
}

export interface PermissionView {
  id: string;
  name: string;
  description: string;
  /** How many service accounts, applications and roles hold it. */
  holders: number;
}

export interface ApiView extends Omit<ApiListItem, 'permissionCount'> {
  updatedAt: Date;
  permissions: PermissionView[];
}

/** The permissions of one API, for choosing among them. */
export interface ApiPermissions {
  audience: string;
  apiName: string;
  permissions: { id: string; ref: string; name: string; description: string }[];
}

export interface NewPermission {
  id: string;
  name: string;
  description: string;
}

export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}

export async function insertApi(
  tx: Tx,
  api: TokenForm & {
    id: string;
    audience: string;
    name: string;
    tokenTtl: number;
    at: Date;
    permissions: NewPermission[];
  },
): Promise<void> {
  const { at, permissions, ...columns } = api;
  await tx.api.create({ data: { ...columns, createdAt: at, updatedAt: at }, select: { id: true } });
  await tx.permission.createMany({ data: permissions.map((permission) => ({ ...permission, apiId: api.id })) });
}

export async function listApis(
  db: Tx,
  filter: { search?: string | undefined; after?: TimeCursor | undefined },
): Promise<Page<ApiListItem>> {
  const { where, orderBy } = keyset('id', filter.after);
  const rows = await db.api.findMany({
    where: { AND: [searchApis(filter.search), where] },
    orderBy,
    take: PAGE_SIZE + 1,
    select: {
      id: true,
      audience: true,
      name: true,
      tokenTtl: true,
      tokenFormat: true,
      signingAlg: true,
      claimProfile: true,
      createdAt: true,
      _count: { select: { permissions: true } },
    },
  });
  return toPage(
    rows,
    PAGE_SIZE,
    ({ _count, ...api }) => ({ ...api, ...tokenForm(api), permissionCount: _count.permissions }),
    (api) => ({ at: api.createdAt, id: api.id }),
    filter.after,
  );
}

function tokenForm(row: { tokenFormat: string; signingAlg: string; claimProfile: string }): TokenForm {
  return {
    tokenFormat: row.tokenFormat as TokenFormat,
    signingAlg: row.signingAlg as SigningAlg,
    claimProfile: row.claimProfile as ClaimProfile,
  };
}

function searchApis(search: string | undefined): Prisma.ApiWhereInput {
  if (!search) return {};
  const contains = { contains: likeText(search), mode: 'insensitive' as const };
  return { OR: [{ name: contains }, { audience: contains }] };
}

/** Text that LIKE takes literally. */
function likeText(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

export async function findApi(db: Tx, id: string): Promise<ApiView | null> {
  const row = await db.api.findUnique({
    where: { id },
    include: {
      permissions: {
        orderBy: { name: 'asc' },
        include: { _count: { select: { serviceAccounts: true, clients: true, roles: true } } },
      },
    },
  });
  if (!row) return null;
  const permissions = row.permissions.map(({ id: permissionId, name, description, _count }) => ({
    id: permissionId,
    name,
    description,
    holders: _count.serviceAccounts + _count.clients + _count.roles,
  }));
  return { ...row, ...tokenForm(row), permissions };
}

export async function updateApi(
  tx: Tx,
  id: string,
  change: {
    name: string;
    tokenTtl: number;
    tokenFormat?: TokenFormat | undefined;
    signingAlg?: SigningAlg | undefined;
    claimProfile?: ClaimProfile | undefined;
    at: Date;
  },
): Promise<({ audience: string; name: string } & { [part in keyof TokenForm]: string }) | null> {
  const { at, name, tokenTtl, tokenFormat, signingAlg, claimProfile } = change;
  const form = {
    ...(tokenFormat && { tokenFormat }),
    ...(signingAlg && { signingAlg }),
    ...(claimProfile && { claimProfile }),
  };
  const [row] = await tx.api.updateManyAndReturn({
    where: { id },
    data: { name, tokenTtl, ...form, updatedAt: at },
    select: { audience: true, name: true, tokenFormat: true, signingAlg: true, claimProfile: true },
  });
  return row ?? null;
}

export async function insertPermission(tx: Tx, apiId: string, permission: NewPermission): Promise<void> {
  await tx.permission.create({ data: { ...permission, apiId }, select: { id: true } });
}

export async function deletePermission(tx: Tx, apiId: string, permissionId: string): Promise<{ name: string } | null> {
  const permission = await tx.permission.findFirst({ where: { id: permissionId, apiId }, select: { name: true } });
  if (!permission) return null;
  const { count } = await tx.permission.deleteMany({ where: { id: permissionId, apiId } });
  return count > 0 ? permission : null;
}

export async function allPermissions(db: Tx): Promise<ApiPermissions[]> {
  const rows = await db.api.findMany({
    where: { permissions: { some: {} } },
    orderBy: [{ name: 'asc' }, { id: 'asc' }],
    select: {
      audience: true,
      name: true,
      permissions: { orderBy: { name: 'asc' }, select: { id: true, name: true, description: true } },
    },
  });
  return rows.map((api) => ({
    audience: api.audience,
    apiName: api.name,
    permissions: api.permissions.map((permission) => ({
      ...permission,
      ref: formatPermissionRef({ audience: api.audience, name: permission.name }),
    })),
  }));
}

/** Ids of those permissions that exist, by their text. */
export async function findPermissionIds(db: Tx, refs: readonly PermissionRef[]): Promise<Map<string, string>> {
  if (refs.length === 0) return new Map();
  const rows = await db.permission.findMany({
    where: { name: { in: refs.map((ref) => ref.name) }, api: { audience: { in: refs.map((ref) => ref.audience) } } },
    select: { id: true, name: true, api: { select: { audience: true } } },
  });
  return new Map(rows.map((row) => [formatPermissionRef({ audience: row.api.audience, name: row.name }), row.id]));
}
