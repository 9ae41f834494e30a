import { Prisma, type WorkloadTrust } from '../../generated/prisma/client.ts';
import type { ClaimRules, TrustPreset } from '../../kernel/workload-trust.ts';
import type { PublicKeySet } from '../../platform/crypto/public-key-set.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { TrustEntry } from './schema.ts';

export interface TrustRow extends TrustEntry {
  id: string;
  serviceAccountId: string;
  createdAt: Date;
  updatedAt: Date;
  disabledAt: Date | null;
  lastUsedAt: Date | null;
}

export interface AccountOfTrust {
  id: string;
  clientId: string;
  name: string;
}

/** Only the use cases write these columns, and only what the schema lets through. */
function toRow({ preset, claims, jwks, ...columns }: WorkloadTrust): TrustRow {
  return {
    ...columns,
    preset: preset as TrustPreset,
    claims: claims as ClaimRules,
    jwks: jwks as unknown as PublicKeySet | null,
  };
}

function toColumns({ jwks, ...columns }: TrustEntry) {
  return { ...columns, jwks: jwks === null ? Prisma.DbNull : (jwks as unknown as Prisma.InputJsonObject) };
}

/** Until the transaction ends, nobody else changes entries of this account. */
export async function lockAccount(tx: Tx, id: string): Promise<AccountOfTrust | undefined> {
  const [account] = await tx.$queryRaw<AccountOfTrust[]>`
    SELECT id, client_id AS "clientId", name FROM service_account WHERE id = ${id}::uuid FOR UPDATE`;
  return account;
}

export async function insertTrust(
  tx: Tx,
  trust: { id: string; serviceAccountId: string; entry: TrustEntry; at: Date },
): Promise<void> {
  const { id, serviceAccountId, entry, at } = trust;
  await tx.workloadTrust.create({
    data: { id, serviceAccountId, ...toColumns(entry), createdAt: at, updatedAt: at },
    select: { id: true },
  });
}

export async function updateTrust(tx: Tx, id: string, entry: TrustEntry, at: Date): Promise<void> {
  await tx.workloadTrust.updateMany({ where: { id }, data: { ...toColumns(entry), updatedAt: at } });
}

/** False where it was so already. */
export async function setTrustDisabled(tx: Tx, id: string, disabled: boolean, at: Date): Promise<boolean> {
  const { count } = await tx.workloadTrust.updateMany({
    where: { id, disabledAt: disabled ? null : { not: null } },
    data: { disabledAt: disabled ? at : null, updatedAt: at },
  });
  return count > 0;
}

export async function deleteTrust(tx: Tx, id: string): Promise<void> {
  await tx.workloadTrust.deleteMany({ where: { id } });
}

export async function findTrust(db: Tx, id: string): Promise<TrustRow | null> {
  const row = await db.workloadTrust.findUnique({ where: { id } });
  return row && toRow(row);
}

/** Oldest first: of one account, or of the first thousand. */
export async function listTrusts(db: Tx, serviceAccountId?: string): Promise<TrustRow[]> {
  const where = serviceAccountId === undefined ? {} : { serviceAccountId };
  const rows = await db.workloadTrust.findMany({ where, orderBy: { id: 'asc' }, take: 1_000 });
  return rows.map(toRow);
}
