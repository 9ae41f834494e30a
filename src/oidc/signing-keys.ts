import { createPrivateKey } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';
import { SIGNING_ALGORITHMS, type SigningAlg } from '../kernel/access-token.ts';
import type { Clock } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import { AUDIT_COLUMNS, type Audit } from '../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../platform/audit/change.ts';
import type { Envelope } from '../platform/crypto/envelope.ts';
import type { Database, Tx } from '../platform/db/database.ts';
import { notifyOnCommit } from '../platform/db/notify.ts';
import { KEYS_CHANGED } from './signing/follow-keys.ts';
import { isSlowToMake, makeKey, type NewKey, sealedAs } from './signing/key-pair.ts';
import { countSigned, type RevokedKey, revokeLeakedKey } from './signing/leaked-key.ts';

/** By column names, as json_populate_recordset reads it. */
function toJson(key: NewKey): object {
  return {
    kid: key.kid,
    alg: key.alg,
    status: key.status,
    public_jwk: key.publicJwk,
    private_enc: `\\x${key.privateEnc.toString('hex')}`,
    created_at: key.createdAt,
    activated_at: key.activatedAt,
  };
}

/** One process at a time makes or changes keys. */
const SERIALISE = "SELECT pg_advisory_xact_lock(hashtext('signing_key'))";

const ADD_SUCCESSOR = `INSERT INTO signing_key (kid, alg, status, public_jwk, private_enc, created_at, activated_at)
  SELECT kid, alg, status, public_jwk, private_enc, created_at, activated_at
    FROM json_populate_recordset(NULL::signing_key, $2::json)
    WHERE NOT EXISTS (SELECT 1 FROM signing_key k WHERE k.alg = $1 AND k.status = 'next')`;

const CREATE_FIRST = `WITH made AS (
    INSERT INTO signing_key (kid, alg, status, public_jwk, private_enc, created_at, activated_at)
    SELECT kid, alg, status, public_jwk, private_enc, created_at, activated_at
      FROM json_populate_recordset(NULL::signing_key, $2::json)
      WHERE NOT EXISTS (SELECT 1 FROM signing_key k WHERE k.alg = $1 AND k.status = 'active')
    RETURNING status
  )
  INSERT INTO audit_event (${AUDIT_COLUMNS})
  SELECT ${AUDIT_COLUMNS} FROM json_populate_recordset(NULL::audit_event, $3::json)
    WHERE EXISTS (SELECT 1 FROM made WHERE status = 'active')`;

const ACTIVE_OF = "SELECT 1 FROM signing_key WHERE alg = $1 AND status = 'active' LIMIT 1";

/** The others are made when they are needed, or by the schedule a few seconds later. */
const AT_START: readonly SigningAlg[] = ['ES256', 'EdDSA', 'RS256'];

/** How long a key should sign at the most. */
const ROTATE_AFTER_MS = 90 * 86_400_000;

export function rotateBy(activatedAt: Date): Date {
  return new Date(activatedAt.getTime() + ROTATE_AFTER_MS);
}

/** How long others may keep the key set. Whoever is told of a key that it does not know may wait as long, too. */
export const KEY_SET_SECONDS = 30;
/** So long a key is published before it signs, with a margin for the news to reach all processes. */
const PUBLISHED_BEFORE_SECONDS = KEY_SET_SECONDS + 5;

/** The schedule comes again. */
function laterIfTooSoon(error: unknown): void {
  if (!(error instanceof AppError && error.code === 'signing_keys.too_soon')) throw error;
}

const tooSoon = (seconds: number) =>
  new AppError('signing_keys.too_soon', { status: 409, params: { seconds }, retryAfter: seconds });

/** Until everybody who keeps the key set knows the key; one that is as old as the first was in every set that there was. */
function secondsLeft(
  waiting: { createdAt: Date } | undefined,
  first: { createdAt: Date } | undefined,
  now: Date,
): number {
  if (!waiting || !first) return PUBLISHED_BEFORE_SECONDS;
  const made = waiting.createdAt.getTime();
  if (made === first.createdAt.getTime()) return 0;
  const left = Math.ceil(PUBLISHED_BEFORE_SECONDS - (now.getTime() - made) / 1000);
  // Where another process made it, its clock may be ahead.
  return Math.max(0, Math.min(PUBLISHED_BEFORE_SECONDS, left));
}

/** The longest that anything signed stays valid (an ID token), with a margin: so long a retired key is published. */
const LONGEST_MS = (3600 + 600) * 1000;

export interface SigningKeyView {
  kid: string;
  alg: string;
  /**
   * next: published, does not sign yet; active: signs; retiring: published until what it signed has expired; revoked: it
   * leaked, and is published no more.
   */
  status: 'next' | 'active' | 'retiring' | 'retired' | 'revoked';
  createdAt: Date;
  activatedAt: Date | null;
  retiresAt: Date | null;
}

export interface SigningKeys {
  /** Private keys for the library: the active ones sign, the others only verify (RFC 7517 section 4.3). */
  jwks(): Promise<{ keys: JWK[] }>;
  list(): Promise<SigningKeyView[]>;
  /**
   * The waiting key signs from now on. @throws signing_keys.too_soon, with the seconds to wait in retryAfter, while there
   * can be services that do not know it
   */
  rotate(origin: ChangeBy, alg?: SigningAlg): Promise<SigningKeyView[]>;
  /** Resolves when a key of this algorithm signs; makes it where there is none yet. */
  need(alg: SigningAlg): Promise<void>;
  /** This key leaked: it and every access token that it signed end now. @throws signing_keys.not_found, signing_keys.ended */
  revoke(origin: ChangeBy, leaked: { kid: string; reason: string }): Promise<RevokedKey>;
  /** Access tokens signed by it that are good now. */
  countSigned(kid: string): Promise<number>;
  /**
   * What a schedule owes the keys: a published successor for each, a rotation when one has signed long enough, and an
   * end for those whose last signature has expired (their private part is wiped).
   */
  maintain(): Promise<void>;
}

const VIEW = 'kid, alg, status, created_at AS "createdAt", activated_at AS "activatedAt", retires_at AS "retiresAt"';
const PUBLISHED = `SELECT ${VIEW}, private_enc AS "privateEnc" FROM signing_key
  WHERE status IN ('active', 'next') OR (status = 'retiring' AND retires_at > $1) ORDER BY created_at`;

const RETIRE = `UPDATE signing_key SET status = 'retired', private_enc = ''::bytea
  WHERE status = 'retiring' AND retires_at <= $1`;

export async function createSigningKeys(deps: {
  db: Database;
  envelope: Envelope;
  audit: Audit;
  clock: Clock;
}): Promise<SigningKeys> {
  const { db, envelope, audit, clock } = deps;

  const made = (alg: SigningAlg, status: 'active' | 'next', now = clock.now()) => makeKey(envelope, alg, status, now);

  async function need(alg: SigningAlg): Promise<void> {
    const there = await db.query('signing-key-of', ACTIVE_OF, [alg]);
    if (there.length === 0) await createFirst(alg);
  }

  /** Of those that begin together one makes it: the others wait, and find it there. */
  async function createFirst(alg: SigningAlg): Promise<void> {
    const now = clock.now();
    const first = await made(alg, 'active', now);
    // The successor of a key that is slow to make waits until the schedule asks for it.
    const keys = isSlowToMake(alg) ? [first] : [first, await made(alg, 'next', now)];
    const event = audit.row({
      action: 'key.create',
      outcome: 'success',
      actor: { type: 'system' },
      target: { type: 'signing_key', id: first.kid, name: alg },
    });
    await db.batch([
      { text: SERIALISE, values: [] },
      { text: CREATE_FIRST, values: [alg, JSON.stringify(keys.map(toJson)), JSON.stringify([event])] },
      // Processes that run already, those of the release before too, sign with it from now on.
      { text: 'SELECT pg_notify($1, $2)', values: [KEYS_CHANGED, alg] },
    ]);
  }

  // Read by SQL: a process that only starts and serves tokens then never loads Prisma's query engine (50 MiB).
  function list(): Promise<SigningKeyView[]> {
    return db.query<SigningKeyView>('signing-keys', `SELECT ${VIEW} FROM signing_key ORDER BY created_at DESC`, []);
  }

  const serialise = (tx: Tx) => tx.$executeRawUnsafe(SERIALISE);

  for (const alg of AT_START) await need(alg);

  return {
    async jwks() {
      const published = await db.query<SigningKeyView & { privateEnc: Buffer }>('signing-keys-published', PUBLISHED, [
        clock.now(),
      ]);
      // The first key that fits signs: the active one stands in front.
      published.sort((a, b) => Number(b.status === 'active') - Number(a.status === 'active'));
      const keys = await Promise.all(
        published.map(async (row) => {
          const der = envelope.open(row.privateEnc, sealedAs(row.kid));
          const jwk = await exportJWK(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
          const common = { ...jwk, kid: row.kid, alg: row.alg };
          return row.status === 'active' ? { ...common, use: 'sig' } : { ...common, key_ops: ['verify'] };
        }),
      );
      return { keys };
    },

    list,

    rotate,

    need,

    revoke: (origin, leaked) =>
      revokeLeakedKey(
        { db, audit, clock, serialise, make: (alg) => made(alg, 'next'), longestMs: LONGEST_MS },
        origin,
        leaked,
      ),

    countSigned: (kid) => countSigned(db.prisma, kid, new Date(clock.now().getTime() - LONGEST_MS), clock.now()),

    async maintain() {
      const keys = await list();
      for (const alg of SIGNING_ALGORITHMS) {
        const of = (status: SigningKeyView['status']) => keys.filter((key) => key.alg === alg && key.status === status);
        if (of('active').length === 0) await createFirst(alg);
        if (of('next').length === 0) await publishSuccessor(alg);
        else if (of('active').some((key) => rotateBy(key.activatedAt ?? key.createdAt) <= clock.now())) {
          await rotate({ by: { type: 'system', id: 'schedule' } }, alg).catch(laterIfTooSoon);
        }
      }
      if (keys.some((key) => key.status === 'retiring' && key.retiresAt && key.retiresAt <= clock.now())) {
        await db.query('signing-keys-retire', RETIRE, [clock.now()]);
        await db.notify(KEYS_CHANGED, '*');
      }
    },
  };

  /** Long before it signs, so that whoever keeps the key set for a while knows it by then. */
  async function publishSuccessor(alg: SigningAlg): Promise<void> {
    const key = await made(alg, 'next');
    await db.batch([
      { text: SERIALISE, values: [] },
      { text: ADD_SUCCESSOR, values: [alg, JSON.stringify([toJson(key)])] },
      { text: 'SELECT pg_notify($1, $2)', values: [KEYS_CHANGED, alg] },
    ]);
  }

  async function rotate(origin: ChangeBy, alg: SigningAlg = 'ES256'): Promise<SigningKeyView[]> {
    // Before the transaction: an RSA key takes its time, and others wait for the lock.
    if (!(await list()).some((key) => key.alg === alg && key.status === 'next')) await publishSuccessor(alg);
    const spare = await made(alg, 'next');
    await db.tx(async (tx) => {
      await serialise(tx);
      const now = clock.now();
      const known = await tx.signingKey.findMany({ where: { alg }, orderBy: { createdAt: 'asc' } });
      const current = known.filter((key) => key.status === 'active');
      const waiting = known.find((key) => key.status === 'next');
      const seconds = secondsLeft(waiting, known[0], now);
      if (!waiting || seconds > 0) throw tooSoon(seconds);
      const successor = waiting.kid;
      await tx.signingKey.updateMany({
        where: { alg, status: 'active' },
        data: { status: 'retiring', retiresAt: new Date(now.getTime() + LONGEST_MS) },
      });
      await tx.signingKey.update({ where: { kid: successor }, data: { status: 'active', activatedAt: now } });
      await tx.signingKey.create({ data: spare });
      await audit.in(
        tx,
        changeEvent(origin, {
          action: 'key.rotate',
          target: { type: 'signing_key', id: successor, name: alg },
          data: { previous: current.map((key) => key.kid) },
        }),
      );
      await notifyOnCommit(tx, KEYS_CHANGED, alg);
    });
    return list();
  }
}
