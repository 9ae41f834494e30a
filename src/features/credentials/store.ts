import type { Database, Tx } from '../../platform/db/database.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface TotpRow {
  id: string;
  secretEnc: Bytes;
}

export function createCredentialStore(db: Database) {
  const { prisma } = db;

  return {
    passwordOf: (userId: string): Promise<{ hash: string; pepperId: string } | null> =>
      prisma.password.findUnique({ where: { userId }, select: { hash: true, pepperId: true } }),

    async putPassword(tx: Tx, userId: string, hash: string, pepperId: string, at: Date): Promise<void> {
      const values = { hash, pepperId, updatedAt: at };
      await tx.password.upsert({ where: { userId }, create: { userId, ...values }, update: values });
    },

    /** Only while the old hash still stands: a password that was changed meanwhile is never put back. */
    async replaceHash(userId: string, from: string, to: string, pepperId: string): Promise<void> {
      await prisma.password.updateMany({ where: { userId, hash: from }, data: { hash: to, pepperId } });
    },

    totpOf: (userId: string): Promise<TotpRow | null> =>
      prisma.totpFactor.findFirst({
        where: { userId, confirmedAt: { not: null } },
        select: { id: true, secretEnc: true },
      }),

    /** A confirmed factor, in place of any that was there. */
    async putTotp(
      tx: Tx,
      factor: { id: string; userId: string; secretEnc: Bytes; lastStep: bigint; at: Date },
    ): Promise<void> {
      const { userId, at, ...fields } = factor;
      const values = { ...fields, createdAt: at, confirmedAt: at, lastUsedAt: null };
      await tx.totpFactor.upsert({ where: { userId }, create: { userId, ...values }, update: values });
    },

    /** One winner for each time step (RFC 6238 section 5.2): whoever's UPDATE still finds an older step. */
    async useTotpStep(id: string, step: bigint, at: Date): Promise<boolean> {
      const used = await prisma.totpFactor.updateMany({
        where: { id, confirmedAt: { not: null }, lastStep: { lt: step } },
        data: { lastStep: step, lastUsedAt: at },
      });
      return used.count === 1;
    },

    async replaceRecoveryCodes(
      tx: Tx,
      userId: string,
      codes: { id: string; codeHash: Bytes }[],
      at: Date,
    ): Promise<void> {
      await tx.recoveryCode.deleteMany({ where: { userId } });
      await tx.recoveryCode.createMany({ data: codes.map((code) => ({ ...code, userId, createdAt: at })) });
    },

    async useRecoveryCode(userId: string, codeHash: Bytes, at: Date): Promise<boolean> {
      const used = await prisma.recoveryCode.updateMany({
        where: { userId, codeHash, usedAt: null },
        data: { usedAt: at },
      });
      return used.count === 1;
    },

    async factorsOf(
      userId: string,
      tx: Tx = prisma,
    ): Promise<{ totp: { createdAt: Date; lastUsedAt: Date | null } | null; recoveryLeft: number }> {
      const [totp, recoveryLeft] = await Promise.all([
        tx.totpFactor.findFirst({
          where: { userId, confirmedAt: { not: null } },
          select: { createdAt: true, lastUsedAt: true },
        }),
        tx.recoveryCode.count({ where: { userId, usedAt: null } }),
      ]);
      return { totp, recoveryLeft };
    },

    async deleteFactors(tx: Tx, userId: string): Promise<boolean> {
      const totp = await tx.totpFactor.deleteMany({ where: { userId } });
      const codes = await tx.recoveryCode.deleteMany({ where: { userId } });
      return totp.count + codes.count > 0;
    },
  };
}

export type CredentialStore = ReturnType<typeof createCredentialStore>;
