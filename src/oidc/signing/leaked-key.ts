import type { SigningAlg } from '../../kernel/access-token.ts';
import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { notifyOnCommit } from '../../platform/db/notify.ts';
import { KEYS_CHANGED } from './follow-keys.ts';
import type { NewKey } from './key-pair.ts';

/** What became of a key that leaked. */
export interface RevokedKey {
  kid: string;
  alg: string;
  /** What it was used for until then. */
  was: 'next' | 'active' | 'retiring';
  /** Who signs for this algorithm from now on, where that changed. */
  successor: string | undefined;
  /** Access tokens that it signed and that were good. */
  tokens: number;
}

/** What a person is told before: how many access tokens signed by the key are good now. */
export function countSigned(db: Tx, kid: string, since: Date, now: Date): Promise<number> {
  return db.token.count({ where: { ...signedBy(since), kid, revokedAt: null, expiresAt: { gt: now } } });
}

/** Both kinds that can be JWTs, and no older ones than can be good: what the index (kind, created_at) finds. */
function signedBy(since: Date) {
  return { kind: { in: ['AccessToken', 'ClientCredentials'] }, createdAt: { gte: since } };
}

const isLive = (status: string): status is RevokedKey['was'] => ['next', 'active', 'retiring'].includes(status);

const notFound = () => new AppError('signing_keys.not_found', { status: 404 });
const ended = () => new AppError('signing_keys.ended', { status: 409 });

/**
 * The key leaves the published set, its private part is wiped and every access token that it signed ends, in one
 * transaction. Where it signed, the waiting key signs from now on. Tokens that are being inserted hold the key's row
 * (src/oidc/token-row.ts): they are there for the update, or are born revoked.
 * @throws signing_keys.not_found, signing_keys.ended
 */
export async function revokeLeakedKey(
  deps: {
    db: Database;
    audit: Audit;
    clock: Clock;
    /** Has one key of a kind at work at a time. */
    serialise: (tx: Tx) => Promise<unknown>;
    make: (alg: SigningAlg) => Promise<NewKey>;
    /** Milliseconds that anything signed is good at the most. */
    longestMs: number;
  },
  origin: ChangeBy,
  leaked: { kid: string; reason: string },
): Promise<RevokedKey> {
  const { db, audit, clock } = deps;
  const { kid, reason } = leaked;
  const known = await db.prisma.signingKey.findUnique({ where: { kid }, select: { alg: true, status: true } });
  if (!known) throw notFound();
  if (!isLive(known.status)) throw ended();
  const alg = known.alg as SigningAlg;
  // Outside of the transaction: an RSA key takes its time, and others wait for the lock.
  const spare = known.status === 'retiring' ? undefined : await deps.make(alg);

  return db.tx(async (tx) => {
    await deps.serialise(tx);
    const now = clock.now();
    const key = await tx.signingKey.findUniqueOrThrow({ where: { kid }, select: { status: true } });
    if (!isLive(key.status)) throw ended();
    const was = key.status;
    await tx.signingKey.update({
      where: { kid },
      data: { status: 'revoked', privateEnc: Buffer.alloc(0), retiresAt: now },
    });
    const successor = was === 'active' ? await succeed(tx, alg, spare, now) : undefined;
    if (was === 'next' && spare) await tx.signingKey.create({ data: spare });
    const { count: tokens } = await tx.token.updateMany({
      where: { ...signedBy(new Date(now.getTime() - deps.longestMs)), kid, revokedAt: null, expiresAt: { gt: now } },
      data: { revokedAt: now },
    });
    const target = { type: 'signing_key', id: kid, name: alg };
    await audit.in(
      tx,
      changeEvent(origin, {
        action: 'key.revoke',
        target,
        data: { reason, was, tokens, ...(successor && { successor }) },
      }),
    );
    await notifyOnCommit(tx, KEYS_CHANGED, alg);
    return { kid, alg, was, successor, tokens };
  });
}

/** The waiting key signs, because others know it already, and the spare one waits; without a waiting one the spare signs. */
async function succeed(tx: Tx, alg: SigningAlg, spare: NewKey | undefined, now: Date): Promise<string | undefined> {
  const waiting = await tx.signingKey.findFirst({ where: { alg, status: 'next' }, orderBy: { createdAt: 'asc' } });
  const active = { status: 'active', activatedAt: now };
  if (waiting) await tx.signingKey.update({ where: { kid: waiting.kid }, data: active });
  if (spare) await tx.signingKey.create({ data: waiting ? spare : { ...spare, ...active } });
  return waiting?.kid ?? spare?.kid;
}
