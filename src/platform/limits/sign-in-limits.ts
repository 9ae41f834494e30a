import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import { hmac } from '../crypto/digest.ts';
import type { Database } from '../db/database.ts';
import { addressGroup } from './address.ts';

export interface Subject {
  kind: 'password' | 'totp' | 'recovery';
  /** The login as it was typed; its spellings share a counter. */
  account: string;
  address: string;
  /**
   * A device from which this account signed in before, if the browser proved it: it has a counter of its own, so that
   * an attacker's tries can't lock the owner out there (S61).
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
  /** The account's counter goes back to nothing, and the address gets its try back. */
  succeeded(subject: Subject): Promise<void>;
  /** The try came to no verdict (503): it does not count. */
  release(subject: Subject): Promise<void>;
  /** Lets an account try again at once, with every kind; for an admin, and when a credential was replaced. */
  clear(account: string): Promise<void>;
}

/** Failures of an account before it has to wait; then 15 s, 30 s, 60 s … up to 15 min. */
const FREE_FAILURES = 5;
const FIRST_WAIT = 15;
const LONGEST_WAIT = 900;
/** SP 800-63B-4 section 3.2.2. Only a success or clear() opens it again. */
const MOST_FAILURES = 100;
/** An account's consecutive failures are forgotten when a year has passed without any. */
const ACCOUNT_MEMORY = 365 * 86_400;
const ADDRESS_FAILURES = 50;
const ADDRESS_WINDOW = 900;
/** What a closed account is told; it says nothing about when it opens. */
const CLOSED_RETRY = 86_400;

/** How long an account waits after that many failures; null as long as it needn't. */
const wait = (failures: string, now: string): string =>
  `CASE WHEN ${failures} >= ${FREE_FAILURES} THEN ${now} + make_interval(secs =>
     least(${LONGEST_WAIT}, ${FIRST_WAIT} * power(2, least(${failures}, 30) - ${FREE_FAILURES}))) END`;

/*
 * Address first, then account, in one statement: an address over its limit can't close accounts, and every statement
 * locks in the same order. Of parallel statements on one row, PostgreSQL makes the later ones look again at what the
 * first one committed.
 */
const RESERVE = `
WITH address AS (
  INSERT INTO abuse_counter AS c (key_hash, failures, first_at, expires_at)
  VALUES ($1, 1, $3::timestamptz, $3::timestamptz + make_interval(secs => ${ADDRESS_WINDOW}))
  ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN c.expires_at <= $3 THEN 1 ELSE c.failures + 1 END,
    first_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.first_at ELSE c.first_at END,
    expires_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.expires_at ELSE c.expires_at END
  WHERE c.expires_at <= $3 OR c.failures < ${ADDRESS_FAILURES}
  RETURNING failures
), account AS (
  INSERT INTO abuse_counter AS c (key_hash, failures, first_at, expires_at)
  SELECT $2, 1, $3::timestamptz, $3::timestamptz + make_interval(secs => ${ACCOUNT_MEMORY})
   WHERE EXISTS (SELECT FROM address)
  ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN c.expires_at <= $3 THEN 1 ELSE c.failures + 1 END,
    first_at = CASE WHEN c.expires_at <= $3 THEN EXCLUDED.first_at ELSE c.first_at END,
    blocked_until = CASE WHEN c.expires_at > $3 THEN ${wait('c.failures + 1', '$3::timestamptz')} END,
    expires_at = EXCLUDED.expires_at
  WHERE c.expires_at <= $3
     OR (c.failures < ${MOST_FAILURES} AND (c.blocked_until IS NULL OR c.blocked_until <= $3))
  RETURNING failures
)
SELECT EXISTS (SELECT FROM address) AS "addressOk", EXISTS (SELECT FROM account) AS "accountOk"`;

const REFUSAL = `
SELECT key_hash = $1 AS "isAddress", failures, blocked_until AS "blockedUntil", expires_at AS "expiresAt"
  FROM abuse_counter WHERE key_hash IN ($1, $2)`;

const FAILED = `
UPDATE abuse_counter SET blocked_until = ${wait('failures', '$2::timestamptz')} WHERE key_hash = $1`;

const GIVE_BACK_ADDRESS = 'UPDATE abuse_counter SET failures = failures - 1 WHERE key_hash = $1 AND failures > 0';

const SUCCEEDED = `WITH address AS (${GIVE_BACK_ADDRESS} RETURNING 1)
DELETE FROM abuse_counter WHERE key_hash = $2 AND (SELECT count(*) FROM address) >= 0`;

const RELEASE = `WITH address AS (${GIVE_BACK_ADDRESS} RETURNING 1)
UPDATE abuse_counter SET failures = failures - 1, blocked_until = ${wait('failures - 1', '$3::timestamptz')}
 WHERE key_hash = $2 AND failures > 0 AND (SELECT count(*) FROM address) >= 0`;

interface CounterRow {
  isAddress: boolean;
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
  onLimited?: (limiter: 'sign_in_account' | 'sign_in_address') => void;
}): AttemptLimits {
  const { db, clock, key, onLimited } = deps;

  const normalize = (account: string): string => account.normalize('NFKC').trim().toLowerCase();
  const accountKey = (kind: Subject['kind'], account: string, device?: string): Buffer =>
    hmac(key, JSON.stringify(['account', kind, normalize(account), device ?? null]));
  const keys = ({ kind, account, address, device }: Subject): [address: Buffer, account: Buffer] => [
    hmac(key, JSON.stringify(['address', addressGroup(address)])),
    accountKey(kind, account, device),
  ];

  async function refuse(subject: Subject, limiter: 'sign_in_account' | 'sign_in_address', now: Date): Promise<never> {
    onLimited?.(limiter);
    const rows = await db.query<CounterRow>('limits.refusal', REFUSAL, keys(subject));
    const row = rows.find(({ isAddress }) => isAddress === (limiter === 'sign_in_address'));
    const until = limiter === 'sign_in_address' ? row?.expiresAt : row?.blockedUntil;
    const closed = limiter === 'sign_in_account' && (row?.failures ?? 0) >= MOST_FAILURES;
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
      const rows = await db.query<{ addressOk: boolean; accountOk: boolean }>('limits.reserve', RESERVE, [
        ...keys(subject),
        now,
      ]);
      const result = rows[0];
      if (!result?.addressOk) await refuse(subject, 'sign_in_address', now);
      if (!result?.accountOk) await refuse(subject, 'sign_in_account', now);
    },

    async failed(subject) {
      await db.query('limits.failed', FAILED, [keys(subject)[1], clock.now()]);
    },

    async succeeded(subject) {
      await db.query('limits.succeeded', SUCCEEDED, keys(subject));
    },

    async release(subject) {
      await db.query('limits.release', RELEASE, [...keys(subject), clock.now()]);
    },

    async clear(account) {
      const kinds: Subject['kind'][] = ['password', 'totp', 'recovery'];
      await db.query('limits.clear', 'DELETE FROM abuse_counter WHERE key_hash = ANY($1::bytea[])', [
        kinds.map((kind) => accountKey(kind, account)),
      ]);
    },
  };
}
