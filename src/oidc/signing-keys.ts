import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { exportJWK, type JWK } from 'jose';
import { SIGNING_ALGORITHMS, type SigningAlg } from '../kernel/access-token.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomToken } from '../kernel/ids.ts';
import { AUDIT_COLUMNS, type Audit } from '../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../platform/audit/change.ts';
import type { Envelope } from '../platform/crypto/envelope.ts';
import type { Database, Tx } from '../platform/db/database.ts';
import { notifyOnCommit } from '../platform/db/notify.ts';

export const KEYS_CHANGED = 'keys_changed';

interface NewKey {
  kid: string;
  alg: SigningAlg;
  status: 'active' | 'next';
  publicJwk: object;
  privateEnc: Buffer<ArrayBuffer>;
  createdAt: Date;
  activatedAt: Date | null;
}

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

/** How long a key should sign at the most. */
const ROTATE_AFTER_MS = 90 * 86_400_000;

export function rotateBy(activatedAt: Date): Date {
  return new Date(activatedAt.getTime() + ROTATE_AFTER_MS);
}

/** The longest that anything signed stays valid (an ID token), with a margin: so long a retired key is published. */
const PUBLISHED_AFTER_SECONDS = 3600 + 600;

export interface SigningKeyView {
  kid: string;
  alg: string;
  /** next: published, does not sign yet; active: signs; retiring: published until what it signed has expired. */
  status: 'next' | 'active' | 'retiring' | 'retired';
  createdAt: Date;
  activatedAt: Date | null;
  retiresAt: Date | null;
}

export interface SigningKeys {
  /** Private keys for the library: the active ones sign, the others only verify (RFC 7517 section 4.3). */
  jwks(): Promise<{ keys: JWK[] }>;
  list(): Promise<SigningKeyView[]>;
  rotate(origin: ChangeBy, alg?: SigningAlg): Promise<SigningKeyView[]>;
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

const generate = promisify(generateKeyPair);

async function newKeyPair(alg: SigningAlg): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  if (alg === 'ES256') return generate('ec', { namedCurve: 'P-256' });
  if (alg === 'EdDSA') return generate('ed25519');
  return generate('rsa', { modulusLength: 3072 });
}

const aad = (kid: string): string => `signing_key|private_enc|${kid}`;

export async function createSigningKeys(deps: {
  db: Database;
  envelope: Envelope;
  audit: Audit;
  clock: Clock;
}): Promise<SigningKeys> {
  const { db, envelope, audit, clock } = deps;

  async function made(alg: SigningAlg, status: 'active' | 'next'): Promise<NewKey> {
    const { privateKey, publicKey } = await newKeyPair(alg);
    const kid = randomToken(9);
    const privateEnc = envelope.seal(privateKey.export({ type: 'pkcs8', format: 'der' }), aad(kid));
    const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
    const now = clock.now();
    return { kid, alg, status, publicJwk, privateEnc, createdAt: now, activatedAt: status === 'active' ? now : null };
  }

  /** The first keys. Of processes that start together one makes them: the others wait, and find them there. */
  async function ensure(): Promise<void> {
    const known = await list();
    for (const alg of SIGNING_ALGORITHMS) {
      if (known.some((key) => key.alg === alg && key.status === 'active')) continue;
      const keys = [await made(alg, 'active')];
      // An RSA key takes a second to make: its successor waits until the schedule asks for it.
      if (alg !== 'RS256') keys.push(await made(alg, 'next'));
      const [active] = keys;
      const event = audit.row({
        action: 'key.create',
        outcome: 'success',
        actor: { type: 'system' },
        target: { type: 'signing_key', id: active?.kid ?? '', name: alg },
      });
      await db.batch([
        { text: SERIALISE, values: [] },
        { text: CREATE_FIRST, values: [alg, JSON.stringify(keys.map(toJson)), JSON.stringify([event])] },
      ]);
    }
  }

  // Read by SQL: a process that only starts and serves tokens then never loads Prisma's query engine (50 MiB).
  function list(): Promise<SigningKeyView[]> {
    return db.query<SigningKeyView>('signing-keys', `SELECT ${VIEW} FROM signing_key ORDER BY created_at DESC`, []);
  }

  async function add(tx: Tx, key: NewKey): Promise<string> {
    await tx.signingKey.create({ data: { ...key, publicJwk: key.publicJwk } });
    return key.kid;
  }

  await ensure();

  return {
    async jwks() {
      const published = await db.query<SigningKeyView & { privateEnc: Buffer }>('signing-keys-published', PUBLISHED, [
        clock.now(),
      ]);
      // The first key that fits signs: the active one stands in front.
      published.sort((a, b) => Number(b.status === 'active') - Number(a.status === 'active'));
      const keys = await Promise.all(
        published.map(async (row) => {
          const der = envelope.open(row.privateEnc, aad(row.kid));
          const jwk = await exportJWK(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
          const common = { ...jwk, kid: row.kid, alg: row.alg };
          return row.status === 'active' ? { ...common, use: 'sig' } : { ...common, key_ops: ['verify'] };
        }),
      );
      return { keys };
    },

    list,

    rotate,

    async maintain() {
      const keys = await list();
      for (const alg of SIGNING_ALGORITHMS) {
        const of = (status: SigningKeyView['status']) => keys.filter((key) => key.alg === alg && key.status === status);
        if (of('next').length === 0) await publishSuccessor(alg);
        else if (of('active').some((key) => rotateBy(key.activatedAt ?? key.createdAt) <= clock.now())) {
          await rotate({ by: { type: 'system', id: 'schedule' } }, alg);
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
    await db.tx(async (tx) => {
      await tx.$executeRawUnsafe(SERIALISE);
      const now = clock.now();
      const current = await tx.signingKey.findMany({ where: { alg, status: 'active' }, select: { kid: true } });
      const waiting = await tx.signingKey.findFirst({
        where: { alg, status: 'next' },
        orderBy: { createdAt: 'asc' },
      });
      const successor = waiting?.kid ?? (await add(tx, await made(alg, 'next')));
      await tx.signingKey.updateMany({
        where: { alg, status: 'active' },
        data: { status: 'retiring', retiresAt: new Date(now.getTime() + PUBLISHED_AFTER_SECONDS * 1000) },
      });
      await tx.signingKey.update({ where: { kid: successor }, data: { status: 'active', activatedAt: now } });
      await add(tx, await made(alg, 'next'));
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
