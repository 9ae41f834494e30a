import type { SignInAttempt } from '../../generated/prisma/client.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Attempt, Method } from './steps.ts';

export interface AttemptStore {
  find(uidHash: Buffer): Promise<Attempt | null>;
  /** As find, and holds the row until the transaction ends: two posts of one browser run one after the other. */
  lock(tx: Tx, uidHash: Buffer): Promise<Attempt | null>;
  /** Two browsers that enrol a factor for one person run one after the other. */
  lockPerson(tx: Tx, userId: string): Promise<void>;
  /** Starts from the proven password, forgetting whatever this interaction had reached before. */
  begin(
    tx: Tx,
    uidHash: Buffer,
    attempt: Pick<Attempt, 'userId' | 'passwordAt' | 'enrollEnc' | 'expiresAt'>,
  ): Promise<void>;
  recovered(tx: Tx, uidHash: Buffer, enrollEnc: Buffer): Promise<void>;
  enrolled(tx: Tx, uidHash: Buffer, amr: Method[], at: Date): Promise<void>;
  /** True for exactly one caller: the attempt is over. */
  finish(tx: Tx, uidHash: Buffer): Promise<boolean>;
}

export function createAttemptStore(db: Database): AttemptStore {
  return {
    async find(uidHash) {
      const row = await db.prisma.signInAttempt.findUnique({ where: { uidHash: bytes(uidHash) } });
      return row && toAttempt(row);
    },
    async lock(tx, uidHash) {
      await tx.$queryRaw`SELECT 1 FROM sign_in_attempt WHERE uid_hash = ${bytes(uidHash)} FOR UPDATE`;
      const row = await tx.signInAttempt.findUnique({ where: { uidHash: bytes(uidHash) } });
      return row && toAttempt(row);
    },
    async lockPerson(tx, userId) {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`enroll:${userId}`}, 0))`;
    },
    async begin(tx, uidHash, { userId, passwordAt, enrollEnc, expiresAt }) {
      const fresh = {
        userId,
        amr: ['pwd'],
        passwordAt,
        factorAt: null,
        mustEnroll: enrollEnc !== null,
        enrollEnc: enrollEnc && bytes(enrollEnc),
        codesShownAt: null,
        expiresAt,
      };
      await tx.signInAttempt.upsert({
        where: { uidHash: bytes(uidHash) },
        create: { uidHash: bytes(uidHash), ...fresh },
        update: fresh,
      });
    },
    async recovered(tx, uidHash, enrollEnc) {
      await tx.signInAttempt.update({
        where: { uidHash: bytes(uidHash) },
        data: { amr: ['pwd', 'recovery'], mustEnroll: true, enrollEnc: bytes(enrollEnc) },
      });
    },
    async enrolled(tx, uidHash, amr, at) {
      await tx.signInAttempt.update({
        where: { uidHash: bytes(uidHash) },
        data: { amr, mustEnroll: false, enrollEnc: null, factorAt: at, codesShownAt: at },
      });
    },
    async finish(tx, uidHash) {
      const { count } = await tx.signInAttempt.deleteMany({ where: { uidHash: bytes(uidHash) } });
      return count === 1;
    },
  };
}

/** Prisma wants bytes over an ArrayBuffer of their own; a Buffer may stand on a shared pool. */
function bytes(value: Buffer): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(value);
}

function toAttempt(row: SignInAttempt): Attempt {
  return {
    userId: row.userId,
    amr: row.amr as Method[],
    passwordAt: row.passwordAt,
    factorAt: row.factorAt,
    mustEnroll: row.mustEnroll,
    enrollEnc: row.enrollEnc && Buffer.from(row.enrollEnc),
    codesShownAt: row.codesShownAt,
    expiresAt: row.expiresAt,
  };
}
