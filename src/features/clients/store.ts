import { Prisma } from '../../generated/prisma/client.ts';
import { APPLICATION_TYPES, type ApplicationType } from '../../kernel/application.ts';
import { PAGE_SIZE, type Page, type TimeCursor, toPage } from '../../kernel/paging.ts';
import { formatPermissionRef } from '../../kernel/permission-ref.ts';
import type { PublicKeySet, RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import type { Tx } from '../../platform/db/database.ts';
import { keyset } from '../../platform/db/keyset.ts';

export interface SecretView {
  id: string;
  /** The first characters of the secret. */
  prefix: string;
  createdAt: Date;
  /** null: works until it is revoked. */
  expiresAt: Date | null;
  /** To the minute or so; null: never. */
  lastUsedAt: Date | null;
}

export interface ApplicationListItem {
  clientId: string;
  name: string;
  type: ApplicationType;
  firstParty: boolean;
  createdAt: Date;
  disabledAt: Date | null;
}

export interface ApplicationView extends ApplicationListItem {
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  scopes: string[];
  /** As `<audience>#<permission>`. */
  permissions: string[];
  updatedAt: Date;
  /** As registered metadata names it (RFC 7591 section 2, token_endpoint_auth_method). */
  authMethod: string;
  /** Those that work now, newest first. */
  secrets: SecretView[];
}

/** How a client proves itself; keys go with private_key_jwt and with nothing else. */
type Authentication =
  | { authMethod: 'client_secret_basic' | 'none'; keys?: undefined }
  | { authMethod: 'private_key_jwt'; keys: RegisteredKeys };

interface ClientColumns {
  name: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  scopes: string[];
  firstParty: boolean;
}

const listColumns = {
  clientId: true,
  name: true,
  type: true,
  firstParty: true,
  createdAt: true,
  disabledAt: true,
} as const;

const isApplication = { type: { in: [...APPLICATION_TYPES] } };
const secretColumns = { id: true, prefix: true, createdAt: true, expiresAt: true, lastUsedAt: true } as const;
/** The newest is the one that has no end yet. */
const newestFirst = [
  { expiresAt: { sort: 'desc' as const, nulls: 'first' as const } },
  { createdAt: 'desc' as const },
  { id: 'desc' as const },
];

export async function insertClient(
  tx: Tx,
  client: ClientColumns & { clientId: string; type: ApplicationType | 'service'; at: Date } & Authentication,
): Promise<void> {
  const { at, ...columns } = client;
  await tx.client.create({ data: { ...written(columns), createdAt: at, updatedAt: at }, select: { clientId: true } });
}

function written<T extends Authentication>({ keys, ...columns }: T) {
  const given = keys && 'keys' in keys ? { keys: keys.keys.map((key) => ({ ...key })) } : Prisma.DbNull;
  return { ...columns, jwks: given, jwksUri: keys && 'uri' in keys ? keys.uri : null };
}

/** The keys of a client that signs assertions; null for every other one. */
export async function keysOf(db: Tx, clientId: string): Promise<RegisteredKeys | null> {
  const select = { authMethod: true, jwks: true, jwksUri: true };
  const row = await db.client.findUnique({ where: { clientId }, select });
  if (row?.authMethod !== 'private_key_jwt') return null;
  if (row.jwksUri !== null) return { uri: row.jwksUri };
  return (row.jwks ?? null) as PublicKeySet | null;
}

export async function setAuthentication(
  tx: Tx,
  clientId: string,
  { at, ...authentication }: Authentication & { at: Date },
): Promise<void> {
  await tx.client.updateMany({ where: { clientId }, data: { ...written(authentication), updatedAt: at } });
}

export async function listApplications(
  db: Tx,
  filter: { search?: string | undefined; after?: TimeCursor | undefined },
): Promise<Page<ApplicationListItem>> {
  const { where, orderBy } = keyset('clientId', filter.after);
  const rows = await db.client.findMany({
    where: { AND: [isApplication, searchClients(filter.search), where] },
    orderBy,
    take: PAGE_SIZE + 1,
    select: listColumns,
  });
  return toPage(
    rows,
    PAGE_SIZE,
    (row) => ({ ...row, type: row.type as ApplicationType }),
    (row) => ({ at: row.createdAt, id: row.clientId }),
    filter.after,
  );
}

function searchClients(search: string | undefined): Prisma.ClientWhereInput {
  if (!search) return {};
  const text = search.replace(/[\\%_]/g, '\\$&');
  return { OR: [{ name: { contains: text, mode: 'insensitive' } }, { clientId: { startsWith: text } }] };
}

export async function findApplication(db: Tx, clientId: string, now: Date): Promise<ApplicationView | null> {
  const row = await db.client.findFirst({
    where: { clientId, ...isApplication },
    select: {
      ...listColumns,
      redirectUris: true,
      postLogoutRedirectUris: true,
      scopes: true,
      updatedAt: true,
      authMethod: true,
      permissions: { select: { permission: { select: { name: true, api: { select: { audience: true } } } } } },
      secrets: { where: working(now), orderBy: newestFirst, select: secretColumns },
    },
  });
  if (!row) return null;
  const permissions = row.permissions.map(({ permission }) =>
    formatPermissionRef({ audience: permission.api.audience, name: permission.name }),
  );
  return { ...row, type: row.type as ApplicationType, permissions: permissions.sort() };
}

export async function updateClient(tx: Tx, clientId: string, change: ClientColumns & { at: Date }): Promise<void> {
  const { at, ...columns } = change;
  await tx.client.updateMany({ where: { clientId }, data: { ...columns, updatedAt: at } });
}

export async function renameClient(tx: Tx, clientId: string, name: string, at: Date): Promise<void> {
  await tx.client.updateMany({ where: { clientId }, data: { name, updatedAt: at } });
}

/** False where it was so already. */
export async function setClientDisabled(tx: Tx, clientId: string, disabled: boolean, at: Date): Promise<boolean> {
  const { count } = await tx.client.updateMany({
    where: { clientId, disabledAt: disabled ? null : { not: null } },
    data: { disabledAt: disabled ? at : null, updatedAt: at },
  });
  return count > 0;
}

export async function deleteClient(tx: Tx, clientId: string): Promise<boolean> {
  return (await tx.client.deleteMany({ where: { clientId } })).count > 0;
}

export async function replaceClientPermissions(tx: Tx, clientId: string, permissionIds: string[]): Promise<void> {
  await tx.clientPermission.deleteMany({ where: { clientId, permissionId: { notIn: permissionIds } } });
  await tx.clientPermission.createMany({
    data: permissionIds.map((permissionId) => ({ clientId, permissionId })),
    skipDuplicates: true,
  });
}

/** Until the transaction ends, nobody else changes this client or its secrets. */
export async function lockClient(tx: Tx, clientId: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 AS locked FROM client WHERE client_id = ${clientId} FOR UPDATE`;
}

function working(now: Date) {
  return { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
}

export async function workingSecrets(db: Tx, clientId: string, now: Date): Promise<SecretView[]> {
  return await db.clientSecret.findMany({
    where: { clientId, ...working(now) },
    orderBy: newestFirst,
    select: secretColumns,
  });
}

export async function insertSecret(
  tx: Tx,
  secret: { id: string; clientId: string; hash: Uint8Array<ArrayBuffer>; prefix: string; at: Date },
): Promise<void> {
  const { hash, at, ...columns } = secret;
  await tx.clientSecret.create({ data: { ...columns, secretHash: hash, createdAt: at }, select: { id: true } });
}

export async function setSecretExpiry(tx: Tx, id: string, expiresAt: Date): Promise<void> {
  await tx.clientSecret.updateMany({ where: { id }, data: { expiresAt } });
}

/** Drops every secret of the client but one. */
export async function deleteSecretsExcept(tx: Tx, clientId: string, keep: string | undefined): Promise<void> {
  await tx.clientSecret.deleteMany({ where: { clientId, ...(keep !== undefined && { id: { not: keep } }) } });
}

export async function deleteSecret(tx: Tx, clientId: string, id: string): Promise<{ prefix: string } | null> {
  const secret = await tx.clientSecret.findFirst({ where: { id, clientId }, select: { prefix: true } });
  const { count } = await tx.clientSecret.deleteMany({ where: { id, clientId } });
  return count > 0 ? secret : null;
}
