import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import { hmac } from '../crypto/digest.ts';
import type { Database, Tx } from '../db/database.ts';
import { addressGroup } from './address.ts';

export interface Subject {
  kind: 'password' | 'totp' | 'recovery';
  /** The login as it was typed; its spellings share a counter. */
  account: string;
  address: string;
  /**
   * A device from which this account signed in before, if the browser proved it: it has counters of its own in place of
   * the account's and the address's, so that others' tries can't lock the owner out there (S61).
   */
  device?: string;
}

/** All throw AppError `database.unavailable` (503) when the counters can't be reached: no try passes uncounted. */
export interface AttemptLimits {
  /**
   * Counts the try as a failure before anything is verified, so that parallel tries can't pass the limit together.
   * Throws AppError `limits.too_many` (429, retryAfter in seconds). Followed by one of the three below.
   */
  check(subject: Subject): Promise<void>;
  /** The try failed: the waiting time starts now, not when the try came in. */
  failed(subject: Subject): Promise<void>;
  /** The account's counter goes back to nothing, and the address or the device gets its try back. */
  succeeded(subject: Subject): Promise<void>;
  /** The keys of its two counters, for a statement that has `succeededIn` in it. */
  keys(subject: Subject): Counters;
  /** The try came to no verdict (503): it does not count. */
  release(subject: Subject): Promise<void>;
  /** Whether an account is held back now, with any kind or on any of its devices; null when it is not. */
  lockOf(account: string): Promise<AccountLock | null>;
  /**
   * Lets an account try again at once, with every kind and on every device; for an admin, and when a credential was
   * replaced.
   */
  clear(account: string, tx?: Tx): Promise<void>;
  /** Calls `listener` at each refusal with what refused. */
  onLimited(listener: (limiter: Limiter) => void): void;
}

export type Counters = [source: Buffer, account: Buffer];

export interface AccountLock {
  /** After too many failures: waiting does not open it. */
  closed: boolean;
  /** When the longest of its waits ends; null when there is none. */
  until: Date | null;
}

export type Limiter = 'sign_in_account' | 'sign_in_address' | 'sign_in_device';

/** Failures of an account before it has to wait; then 15 s, 30 s, 60 s … up to 15 min. */
const FREE_FAILURES = 5;
const FIRST_WAIT = 15;
const LONGEST_WAIT = 900;
/** SP 800-63B-4 section 3.2.2. Only a success or clear() opens it again. */
const MOST_FAILURES = 100;
/** An account's consecutive failures are forgotten when a year has passed without any. */
const ACCOUNT_MEMORY = 365 * 86_400;
/** Of an address, or of a proven device, whatever account and kind they were on. */
const SOURCE_FAILURES = 50;
const SOURCE_WINDOW = 900;
/** What a closed account is told; it says nothing about when it opens. */
const CLOSED_RETRY = 86_400;

/** How long an account waits after that many failures; null as long as it needn't. */
const wait = (failures: string, now: string): string =>
  `CASE WHEN ${failures} >= ${FREE_FAILURES} THEN ${now} + make_interval(secs =>
     least(${LONGEST_WAIT}, ${FIRST_WAIT} * power(2, least(${failures}, 30) - ${FREE_FAILURES}))) END`;

/*
 * Source (address or device) first, then account, in one statement: an address over its limit can't close accounts, and
 * every statement locks in the same order. Of parallel statements on one row, PostgreSQL makes the later ones look again at what the
 * first one committed.
 */
const RESERVE = `
WITH source AS (
  INSERT INTO abuse_counter AS c (key_hash, failures, first_at, expires_at)
  VALUES ($1, 1, $3::timestamptz, $3::timestamptz + make_interval(secs => ${SOURCE_WINDOW}))
  ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN c.expires_at <= $3 THEN 1 ELSE c.failures + 1 END,
    first_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.first_at ELSE c.first_at END,
    expires_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.expires_at ELSE c.expires_at END
  WHERE c.expires_at <= $3 OR c.failures < ${SOURCE_FAILURES}
  RETURNING failures
), account AS (
  INSERT INTO abuse_counter AS c (key_hash, failures, first_at, expires_at)
  SELECT $2, 1, $3::timestamptz, $3::timestamptz + make_interval(secs => ${ACCOUNT_MEMORY})
   WHERE EXISTS (SELECT FROM source)
  ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN c.expires_at <= $3 THEN 1 ELSE c.failures + 1 END,
    first_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.first_at ELSE c.first_at END,
    blocked_until = CASE WHEN c.expires_at > $3 THEN ${wait('c.failures + 1', '$3::timestamptz')} END,
    expires_at = EXCLUDED.expires_at
  WHERE c.expires_at <= $3
     OR (c.failures < ${MOST_FAILURES} AND (c.blocked_until IS NULL OR c.blocked_until <= $3))
  RETURNING failures
)
SELECT EXISTS (SELECT FROM source) AS "sourceOk", EXISTS (SELECT FROM account) AS "accountOk"`;

const REFUSAL = `
SELECT key_hash = $1 AS "isSource", failures, blocked_until AS "blockedUntil", expires_at AS "expiresAt"
  FROM abuse_counter WHERE key_hash IN ($1, $2)`;

const FAILED = `
UPDATE abuse_counter SET blocked_until = ${wait('failures', '$2::timestamptz')} WHERE key_hash = $1`;

const GIVE_BACK = 'UPDATE abuse_counter SET failures = failures - 1 WHERE key_hash = $1 AND failures > 0';

/**
 * What `succeeded` does, as parts of a statement that also writes what the success brought about: where `condition`
 * holds, which is known before a counter is locked.
 */
export const succeededIn = (source: string, account: string, condition: string): string => `
  given_back AS (UPDATE abuse_counter SET failures = failures - 1
    WHERE key_hash = ${source} AND failures > 0 AND ${condition} RETURNING 1),
  forgotten AS (DELETE FROM abuse_counter
    WHERE key_hash = ${account} AND ${condition} AND (SELECT count(*) FROM given_back) >= 0)`;

const SUCCEEDED = `WITH ${succeededIn('$1', '$2', 'true')} SELECT 1`;

const RELEASE = `WITH source AS (${GIVE_BACK} RETURNING 1)
UPDATE abuse_counter SET failures = failures - 1, blocked_until = ${wait('failures - 1', '$3::timestamptz')}
 WHERE key_hash = $2 AND failures > 0 AND (SELECT count(*) FROM source) >= 0`;

/** Read and deleted as one range of the key: every kind and device of the account. */
const LOCK_OF = `
SELECT coalesce(bool_or(failures >= ${MOST_FAILURES}), false) AS closed,
       max(blocked_until) FILTER (WHERE blocked_until > $3) AS until
  FROM abuse_counter WHERE key_hash BETWEEN $1 AND $2 AND expires_at > $3`;

const CLEAR = 'DELETE FROM abuse_counter WHERE key_hash BETWEEN $1 AND $2';

interface CounterRow {
  isSource: boolean;
  failures: number;
  blockedUntil: Date | null;
  expiresAt: Date;
}

/** Counts tries to sign in, per account and factor and per address, in PostgreSQL: all processes count together. */
export function createAttemptLimits(deps: {
  db: Database;
  clock: Clock;
  /** Keys of counters are HMACs, so that they tell nobody who tried to sign in. */
  key: Uint8Array;
}): AttemptLimits {
  const { db, clock, key } = deps;
  const listeners: ((limiter: Limiter) => void)[] = [];

  const normalize = (account: string): string => account.normalize('NFKC').trim().toLowerCase();
  /** Half of a key says which account, the other half which kind and device: what belongs to an account lies together. */
  const half = (parts: unknown[]): Buffer => hmac(key, JSON.stringify(parts)).subarray(0, 16);
  const accountHalf = (account: string): Buffer => half(['account', normalize(account)]);
  const keys = ({ kind, account, address, device }: Subject): Counters => [
    hmac(key, JSON.stringify(device === undefined ? ['address', addressGroup(address)] : ['device', device])),
    Buffer.concat([accountHalf(account), half(['counter', kind, device ?? null])]),
  ];
  const range = (account: string): [first: Buffer, last: Buffer] => [
    Buffer.concat([accountHalf(account), Buffer.alloc(16, 0x00)]),
    Buffer.concat([accountHalf(account), Buffer.alloc(16, 0xff)]),
  ];

  async function refuse(subject: Subject, by: 'source' | 'account', now: Date): Promise<never> {
    const source = subject.device === undefined ? 'sign_in_address' : 'sign_in_device';
    for (const listener of listeners) listener(by === 'source' ? source : 'sign_in_account');
    const rows = await db.query<CounterRow>('limits.refusal', REFUSAL, keys(subject));
    const row = rows.find(({ isSource }) => isSource === (by === 'source'));
    const until = by === 'source' ? row?.expiresAt : row?.blockedUntil;
    const closed = by === 'account' && (row?.failures ?? 0) >= MOST_FAILURES;
    const left = until ? Math.ceil((until.getTime() - now.getTime()) / 1000) : 1;
    const retryAfter = closed ? CLOSED_RETRY : Math.max(1, left);
    throw new AppError('limits.too_many', {
      status: 429,
      retryAfter,
      params: { seconds: retryAfter, minutes: Math.ceil(retryAfter / 60) },
    });
  }

  return {
    async check(subject) {
      const now = clock.now();
      const rows = await db.query<{ sourceOk: boolean; accountOk: boolean }>('limits.reserve', RESERVE, [
        ...keys(subject),
        now,
      ]);
      const result = rows[0];
      if (!result?.sourceOk) await refuse(subject, 'source', now);
      if (!result?.accountOk) await refuse(subject, 'account', now);
    },

    async failed(subject) {
      await db.query('limits.failed', FAILED, [keys(subject)[1], clock.now()]);
    },

    async succeeded(subject) {
      await db.query('limits.succeeded', SUCCEEDED, keys(subject));
    },

    keys,

    async release(subject) {
      await db.query('limits.release', RELEASE, [...keys(subject), clock.now()]);
    },

    async lockOf(account) {
      const values = [...range(account), clock.now()];
      const [lock] = await db.query<AccountLock>('limits.lock_of', LOCK_OF, values);
      return lock && (lock.closed || lock.until !== null) ? lock : null;
    },

    async clear(account, tx) {
      const [first, last] = range(account);
      if (tx) await tx.$executeRawUnsafe(CLEAR, first, last);
      else await db.query('limits.clear', CLEAR, [first, last]);
    },

    onLimited(listener) {
      listeners.push(listener);
    },
  };
}
