import type { SignInAttempt } from '../../generated/prisma/client.ts';
import { AUDIT_COLUMNS, type AuditRow } from '../../platform/audit/audit.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { type Counters, succeededIn } from '../../platform/limits/sign-in-limits.ts';
import type { Account, Beside, Needs, SealedFactor, StoredPassword } from './needs.ts';
import type { Attempt, Method } from './steps.ts';

/** What is stored of an interaction's sign-in, and of the people it is about. */
export interface Found {
  attempt: Attempt | null;
  /** The person of the attempt. */
  account: Account | null;
  /** That person's confirmed authenticator. */
  factor: SealedFactor | null;
  /** The person who is signed in already. */
  expected: Account | null;
}

/** A person who wants to sign in. */
export interface Person extends Account {
  hasFactor: boolean;
  password: (StoredPassword & { setAt: string }) | null;
}

export interface AttemptStore {
  /** All of it at once; `expectedId` is the person who is signed in already. */
  find(uidHash: Buffer, expectedId: string | undefined): Promise<Found>;
  /** The same as what is read beside the interaction. */
  found: { beside: Beside; of(row: unknown): Found };
  /** In the same way, a person by their normalised login. */
  byLogin: { beside(login: string): Beside; of(row: unknown): Person | null };
  /** As find, and holds the row until the transaction ends: two posts of one browser run one after the other. */
  lock(tx: Tx, uidHash: Buffer): Promise<Attempt | null>;
  /**
   * Two browsers that enrol a factor for one person run one after the other. Whatever else the person began is held, too:
   * a sign-in takes its attempt before its factor, and a new factor may end them all.
   */
  lockPerson(tx: Tx, userId: string): Promise<void>;
  /**
   * Starts from the proven password, forgetting whatever this interaction had reached before; the event becomes
   * durable with it, and the counters of tries learn of the success. False, and nothing of that, where the password is
   * not the one any more that was set at `setAt`.
   */
  begin(uidHash: Buffer, attempt: NewAttempt, setAt: string, event: AuditRow, counters: Counters): Promise<boolean>;
  /** For a ticket, which is no try. */
  beginIn(tx: Tx, uidHash: Buffer, attempt: NewAttempt, event: AuditRow): Promise<void>;
  /** False where the attempt ended meanwhile, or became another person's. */
  recovered(tx: Tx, uidHash: Buffer, userId: string, enrollEnc: Buffer): Promise<boolean>;
  enrolled(tx: Tx, uidHash: Buffer, amr: Method[], at: Date): Promise<void>;
  /**
   * Ends the attempt and notes the sign-in at the person. True for exactly one caller, and only while the account is
   * active: `signIn` and the login are written then.
   */
  finishIn(tx: Tx, end: End): Promise<boolean>;
  /**
   * The same by a code of the authenticator. `accepted`: it was used up by this call, whether or not the sign-in is
   * finished by that; `event` is written and the counters of tries learn of it. Otherwise nothing has changed.
   */
  finishByCode(end: End, code: Code): Promise<{ accepted: boolean; finished: boolean }>;
  /** What the person began in other interactions. */
  forgetOthers(tx: Tx, uidHash: Buffer, userId: string): Promise<void>;
  /** False where there was no attempt. */
  forget(tx: Tx, uidHash: Buffer): Promise<boolean>;
}

export interface End {
  uidHash: Buffer;
  userId: string;
  at: Date;
  signIn: AuditRow;
  /** Of the authorization request, which goes on with it (Needs.interactions). */
  login: object;
}

export interface Code {
  factorId: string;
  step: bigint;
  event: AuditRow;
  counters: Counters;
}

type NewAttempt = Pick<Attempt, 'userId' | 'passwordAt' | 'enrollEnc' | 'expiresAt'>;

const hasFactor = (user: string): string =>
  `EXISTS (SELECT FROM totp_factor f WHERE f.user_id = ${user} AND f.confirmed_at IS NOT NULL)`;

const selectFound = (uidHash: string, expectedId: string): string => `SELECT a.user_id AS "userId", a.amr,
    a.password_at AS "passwordAt", a.factor_at AS "factorAt", a.must_enroll AS "mustEnroll",
    a.enroll_enc AS "enrollEnc", a.codes_shown_at AS "codesShownAt", a.expires_at AS "expiresAt",
    u.email, u.name, u.status, f.id AS "factorId", f.secret_enc AS "factorSecret",
    e.id AS "expectedId", e.email AS "expectedEmail", e.name AS "expectedName", e.status AS "expectedStatus"
  FROM (SELECT) one
    LEFT JOIN sign_in_attempt a ON a.uid_hash = ${uidHash}
    LEFT JOIN user_account u ON u.id = a.user_id
    LEFT JOIN totp_factor f ON f.user_id = u.id AND f.confirmed_at IS NOT NULL
    LEFT JOIN user_account e ON e.id = ${expectedId}`;

const FIND = `SELECT row_to_json(f) AS found FROM (${selectFound('$1', '$2::uuid')}) f`;

type AttemptRow = Omit<SignInAttempt, 'uidHash'>;

/** As JSON: times as RFC 3339, bytes as `\\x` and hex. */
interface FoundRow extends Account {
  userId: string | null;
  amr: string[];
  passwordAt: string;
  factorAt: string | null;
  mustEnroll: boolean;
  enrollEnc: string | null;
  codesShownAt: string | null;
  expiresAt: string;
  factorId: string | null;
  factorSecret: string;
  expectedId: string | null;
  expectedEmail: string;
  expectedName: string;
  expectedStatus: string;
}

const BY_LOGIN = `SELECT u.id, u.email, u.name, u.status, ${hasFactor('u.id')} AS "hasFactor", p.hash,
    p.pepper_id AS "pepperId", p.updated_at AS "setAt"
  FROM user_account u LEFT JOIN password p ON p.user_id = u.id WHERE u.email_normalized = $2`;

interface LoginRow extends Account {
  hasFactor: boolean;
  hash: string | null;
  pepperId: string;
  setAt: string;
}

const events = (parameter: string, condition: string): string => `INSERT INTO audit_event (${AUDIT_COLUMNS})
  SELECT ${AUDIT_COLUMNS} FROM json_populate_recordset(NULL::audit_event, ${parameter}::json) WHERE ${condition}`;

const RESET = [
  'user_id',
  'amr',
  'password_at',
  'factor_at',
  'must_enroll',
  'enroll_enc',
  'codes_shown_at',
  'expires_at',
];

/** Of any two statements on an attempt and on counters, each takes the attempt first. */
const BEGIN = `WITH begun AS (
    INSERT INTO sign_in_attempt SELECT r.* FROM json_populate_record(NULL::sign_in_attempt, $1::json) r
    WHERE $5::timestamptz IS NULL
      OR EXISTS (SELECT FROM password p WHERE p.user_id = r.user_id AND p.updated_at = $5::timestamptz)
    ON CONFLICT (uid_hash) DO UPDATE SET ${RESET.map((column) => `${column} = excluded.${column}`).join(', ')}
    RETURNING 1),
  event AS (${events('$2', 'EXISTS (SELECT FROM begun)')}),
  ${succeededIn('$3::bytea', '$4::bytea', 'EXISTS (SELECT FROM begun)')}
  SELECT 1 FROM begun`;

type Statements = Pick<Needs, 'saveLogin'> & Pick<Needs['credentials']['totp'], 'useStep'>;

/** The end of an attempt, where `condition` holds; its values are $1 to $5. */
const ending = ({ saveLogin }: Statements, condition: string): string => `
  gone AS (DELETE FROM sign_in_attempt WHERE uid_hash = $1 AND ${condition} RETURNING user_id),
  active AS (
    UPDATE user_account u SET last_sign_in_at = $3 FROM gone
    WHERE u.id = gone.user_id AND u.id = $2::uuid AND u.status = 'active' RETURNING 1),
  signed_in AS (${events('$4', 'EXISTS (SELECT FROM active)')}),
  login AS (${saveLogin('$5', 'EXISTS (SELECT FROM active)')})`;

const finish = (statements: Statements): string =>
  `WITH ${ending(statements, 'true')} SELECT EXISTS (SELECT FROM active) AS finished`;

/** The attempt is locked before the rows of its person, as by whoever ends a person's attempts. */
const finishByCode = (statements: Statements): string => `WITH
  held AS (SELECT FROM sign_in_attempt WHERE uid_hash = $1 FOR UPDATE),
  step AS (${statements.useStep('$6', '$7', '$3')} AND (SELECT count(*) FROM held) >= 0 RETURNING 1),
  ${ending(statements, 'EXISTS (SELECT FROM step)')},
  used AS (${events('$8', 'EXISTS (SELECT FROM step)')}),
  ${succeededIn('$9', '$10', 'EXISTS (SELECT FROM step) AND (SELECT count(*) FROM active) >= 0')}
  SELECT EXISTS (SELECT FROM step) AS accepted, EXISTS (SELECT FROM active) AS finished`;

export function createAttemptStore(db: Database, statements: Statements): AttemptStore {
  const FINISH = finish(statements);
  const FINISH_BY_CODE = finishByCode(statements);
  const values = ({ uidHash, userId, at, signIn, login }: End) => [
    uidHash,
    userId,
    at,
    JSON.stringify([signIn]),
    JSON.stringify(login),
  ];

  return {
    async find(uidHash, expectedId) {
      const [row] = await db.query<{ found: FoundRow }>('sign-in.find', FIND, [uidHash, expectedId ?? null]);
      if (!row) throw new Error('the query gives one row');
      return toFound(row.found);
    },
    found: { beside: { name: 'sign-in', select: selectFound, values: [] }, of: (row) => toFound(row as FoundRow) },
    byLogin: {
      beside: (login) => ({ name: 'login', select: () => BY_LOGIN, values: [login] }),
      of: (row) => toPerson(row as LoginRow | null),
    },
    async lock(tx, uidHash) {
      await tx.$queryRaw`SELECT 1 FROM sign_in_attempt WHERE uid_hash = ${bytes(uidHash)} FOR UPDATE`;
      const row = await tx.signInAttempt.findUnique({ where: { uidHash: bytes(uidHash) } });
      return row && toAttempt(row);
    },
    async lockPerson(tx, userId) {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`enroll:${userId}`}, 0))`;
      await tx.$queryRaw`SELECT 1 FROM sign_in_attempt WHERE user_id = ${userId}::uuid FOR UPDATE`;
    },
    async begin(uidHash, attempt, setAt, event, counters) {
      const values = [...beginning(uidHash, attempt, event), ...counters, setAt];
      return (await db.query('sign-in.begin', BEGIN, values)).length === 1;
    },
    async beginIn(tx, uidHash, attempt, event) {
      await tx.$queryRawUnsafe(BEGIN, ...beginning(uidHash, attempt, event), null, null, null);
    },
    async recovered(tx, uidHash, userId, enrollEnc) {
      const { count } = await tx.signInAttempt.updateMany({
        where: { uidHash: bytes(uidHash), userId },
        data: { amr: ['pwd', 'recovery'], mustEnroll: true, enrollEnc: bytes(enrollEnc) },
      });
      return count === 1;
    },
    async enrolled(tx, uidHash, amr, at) {
      await tx.signInAttempt.update({
        where: { uidHash: bytes(uidHash) },
        data: { amr, mustEnroll: false, enrollEnc: null, factorAt: at, codesShownAt: at },
      });
    },
    async finishIn(tx, end) {
      const [row] = await tx.$queryRawUnsafe<{ finished: boolean }[]>(FINISH, ...values(end));
      return row?.finished === true;
    },
    async finishByCode(end, { factorId, step, event, counters }) {
      const [row] = await db.query<{ accepted: boolean; finished: boolean }>('sign-in.finish', FINISH_BY_CODE, [
        ...values(end),
        factorId,
        step,
        JSON.stringify([event]),
        ...counters,
      ]);
      if (!row) throw new Error('the query gives one row');
      return row;
    },
    async forgetOthers(tx, uidHash, userId) {
      await tx.signInAttempt.deleteMany({ where: { userId, uidHash: { not: bytes(uidHash) } } });
    },
    async forget(tx, uidHash) {
      const { count } = await tx.signInAttempt.deleteMany({ where: { uidHash: bytes(uidHash) } });
      return count === 1;
    },
  };
}

/** Both rows as JSON, by their column names. */
function beginning(uidHash: Buffer, attempt: NewAttempt, event: AuditRow): [string, string] {
  const { userId, passwordAt, enrollEnc, expiresAt } = attempt;
  const row = {
    uid_hash: hex(uidHash),
    user_id: userId,
    amr: ['pwd'],
    password_at: passwordAt,
    factor_at: null,
    must_enroll: enrollEnc !== null,
    enroll_enc: enrollEnc && hex(enrollEnc),
    codes_shown_at: null,
    expires_at: expiresAt,
  };
  return [JSON.stringify(row), JSON.stringify([event])];
}

const hex = (value: Buffer): string => `\\x${value.toString('hex')}`;

/** Prisma wants bytes over an ArrayBuffer of their own; a Buffer may stand on a shared pool. */
function bytes(value: Buffer): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(value);
}

const fromHex = (text: string): Buffer<ArrayBuffer> => Buffer.from(text.slice(2), 'hex');
const date = (text: string): Date => new Date(text);
const dateOrNull = (text: string | null): Date | null => (text === null ? null : date(text));

function toFound(row: FoundRow): Found {
  const { userId, email, name, status, factorId } = row;
  const { expectedId: id, expectedEmail, expectedName, expectedStatus } = row;
  return {
    attempt: userId === null ? null : { ...toStoredAttempt(row), userId },
    account: userId === null || email === null ? null : { id: userId, email, name, status },
    factor: factorId === null ? null : { id: factorId, secretEnc: fromHex(row.factorSecret) },
    expected: id === null ? null : { id, email: expectedEmail, name: expectedName, status: expectedStatus },
  };
}

function toStoredAttempt(row: FoundRow): Omit<Attempt, 'userId'> {
  return {
    amr: row.amr as Method[],
    passwordAt: date(row.passwordAt),
    factorAt: dateOrNull(row.factorAt),
    mustEnroll: row.mustEnroll,
    enrollEnc: row.enrollEnc === null ? null : fromHex(row.enrollEnc),
    codesShownAt: dateOrNull(row.codesShownAt),
    expiresAt: date(row.expiresAt),
  };
}

function toPerson(row: LoginRow | null): Person | null {
  if (row === null) return null;
  const { hash, pepperId, setAt, ...account } = row;
  return { ...account, password: hash === null ? null : { userId: account.id, hash, pepperId, setAt } };
}

function toAttempt(row: AttemptRow): Attempt {
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
