import type { Prisma } from '../../generated/prisma/client.ts';
import type { DetailSchema } from '../../kernel/detail-schema.ts';
import type { Tx } from '../../platform/db/database.ts';

export interface DetailTypeView {
  type: string;
  description: string;
  schema: DetailSchema;
  createdAt: Date;
}

const columns = { type: true, description: true, schema: true, createdAt: true } as const;

function toView(row: { type: string; description: string; schema: unknown; createdAt: Date }): DetailTypeView {
  return { ...row, schema: row.schema as DetailSchema };
}

function toJson(schema: DetailSchema): Prisma.InputJsonObject {
  return { ...schema } as unknown as Prisma.InputJsonObject;
}

export async function listDetailTypes(db: Tx, apiId: string): Promise<DetailTypeView[]> {
  const rows = await db.authorizationDetailType.findMany({
    where: { apiId },
    orderBy: { type: 'asc' },
    select: columns,
  });
  return rows.map(toView);
}

export async function findDetailType(db: Tx, apiId: string, type: string): Promise<DetailTypeView | null> {
  const row = await db.authorizationDetailType.findFirst({ where: { apiId, type }, select: columns });
  return row && toView(row);
}

export async function detailTypeNames(db: Tx): Promise<string[]> {
  const rows = await db.authorizationDetailType.findMany({ orderBy: { type: 'asc' }, select: { type: true } });
  return rows.map(({ type }) => type);
}

export async function insertDetailType(
  tx: Tx,
  row: { apiId: string; type: string; description: string; schema: DetailSchema; at: Date },
): Promise<void> {
  const { at, schema, ...rest } = row;
  await tx.authorizationDetailType.create({
    data: { ...rest, schema: toJson(schema), createdAt: at },
    select: { type: true },
  });
}

/** False where there is none. */
export async function updateDetailType(
  tx: Tx,
  row: { apiId: string; type: string; description: string; schema: DetailSchema },
): Promise<boolean> {
  const { apiId, type, description, schema } = row;
  const data = { description, schema: toJson(schema) };
  return (await tx.authorizationDetailType.updateMany({ where: { apiId, type }, data })).count > 0;
}

/** False where there is none. */
export async function deleteDetailType(tx: Tx, apiId: string, type: string): Promise<boolean> {
  return (await tx.authorizationDetailType.deleteMany({ where: { apiId, type } })).count > 0;
}

export async function apiIdByAudience(db: Tx, audience: string): Promise<string | null> {
  return (await db.api.findUnique({ where: { audience }, select: { id: true } }))?.id ?? null;
}
