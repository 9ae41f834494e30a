import type { Tx } from '../../platform/db/database.ts';

/** Audiences of the APIs that the client may exchange its callers' tokens for. */
export async function listExchange(db: Tx, clientId: string): Promise<{ audience: string; name: string }[]> {
  const rows = await db.exchangeRule.findMany({
    where: { clientId },
    orderBy: { api: { audience: 'asc' } },
    select: { api: { select: { audience: true, name: true } } },
  });
  return rows.map(({ api }) => api);
}

export async function findApiIds(db: Tx, audiences: string[]): Promise<Map<string, string>> {
  const rows = await db.api.findMany({
    where: { audience: { in: audiences } },
    select: { id: true, audience: true },
  });
  return new Map(rows.map(({ id, audience }) => [audience, id]));
}

export async function replaceExchange(
  tx: Tx,
  clientId: string,
  apiIds: string[],
  made: { createdBy: string; createdAt: Date },
): Promise<void> {
  await tx.exchangeRule.deleteMany({ where: { clientId, apiId: { notIn: apiIds } } });
  await tx.exchangeRule.createMany({
    data: apiIds.map((apiId) => ({ clientId, apiId, ...made })),
    skipDuplicates: true,
  });
}
