import type { Database, Tx } from '../../platform/db/database.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface TotpRow {
  id: string;
  secretEnc: Bytes;
}

// Written, because they are run often; the rest is rare, and Prisma's.
const PASSWORD = 'SELECT hash, pepper_id AS "pepperId" FROM password WHERE user_id = $1::uuid';
const TOTP = `SELECT id, secret_enc AS "secretEnc" FROM totp_factor
  WHERE user_id = $1::uuid AND confirmed_at IS NOT NULL`;

/** One winner for each time step (RFC 6238 section 5.2): whoever's UPDATE still finds an older step. */
export const useTotpStep = (id: string, step: string, at: string): string =>
  `UPDATE totp_factor SET last_step = ${step}, last_used_at = ${at}
    WHERE id = ${id}::uuid AND confirmed_at IS NOT NULL AND last_step < ${step}`;
const USE_TOTP_STEP = `${useTotpStep('$1', '$2', '$3')} RETURNING 1`;

export function createCredentialStore(db: Database) {
  const { prisma } = db;

  return {
    async passwordOf(userId: string): Promise<{ hash: string; pepperId: string } | null> {
      const [row] = await db.query<{ hash: string; pepperId: string }>('credentials.password', PASSWORD, [userId]);
      return row ?? null;
    },

    async putPassword(tx: Tx, userId: string, hash: string, pepperId: string, at: Date): Promise<void> {
      const values = { hash, pepperId, updatedAt: at };
      await tx.password.upsert({ where: { userId }, create: { userId, ...values }, update: values });
    },

    /** Only while the old hash still stands: a password that was changed meanwhile is never put back. */
    async replaceHash(userId: string, from: string, to: string, pepperId: string): Promise<void> {
      await prisma.password.updateMany({ where: { userId, hash: from }, data: { hash: to, pepperId } });
    },

    async totpOf(userId: string): Promise<TotpRow | null> {
      const [row] = await db.query<TotpRow>('credentials.totp', TOTP, [userId]);
      return row ?? null;
    },

    /** A confirmed factor, in place of any that was there. */
    async putTotp(
      tx: Tx,
      factor: { id: string; userId: string; secretEnc: Bytes; lastStep: bigint; at: Date },
    ): Promise<void> {
      const { userId, at, ...fields } = factor;
      const values = { ...fields, createdAt: at, confirmedAt: at, lastUsedAt: null };
      await tx.totpFactor.upsert({ where: { userId }, create: { userId, ...values }, update: values });
    },

    async useTotpStep(id: string, step: bigint, at: Date): Promise<boolean> {
      return (await db.query('credentials.use_totp_step', USE_TOTP_STEP, [id, step, at])).length === 1;
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
