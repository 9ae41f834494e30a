import type { Tx } from '../../platform/db/database.ts';
import { TOKEN_KINDS } from './schema.ts';
import { findServiceClientIds, findUserIds } from './store.ts';

/** Whose tokens are meant, as somebody names it. */
export type Whose =
  | { client: string }
  /** By id, client_id or name. */
  | { serviceAccount: string }
  /** By e-mail address or id. */
  | { user: string }
  | { audience: string };

/** The same, found: `id` is the client_id, the person's id or the audience. */
export interface Owner {
  type: 'client' | 'user' | 'api';
  id: string;
  name: string;
}

export async function findOwner(db: Tx, whose: Whose): Promise<Owner | null> {
  if ('user' in whose) {
    const [id] = await findUserIds(db, whose.user);
    const user =
      id === undefined ? null : await db.user.findUnique({ where: { id }, select: { id: true, email: true } });
    return user && { type: 'user', id: user.id, name: user.email };
  }
  if ('audience' in whose) {
    const api = await db.api.findUnique({ where: whose, select: { audience: true, name: true } });
    return api && { type: 'api', id: api.audience, name: api.name };
  }
  const [clientId] = 'client' in whose ? [whose.client] : await findServiceClientIds(db, whose.serviceAccount);
  if (clientId === undefined) return null;
  const client = await db.client.findUnique({ where: { clientId }, select: { clientId: true, name: true } });
  return client && { type: 'client', id: client.clientId, name: client.name };
}

/** Tokens that are good now. */
export async function countActive(db: Tx, { type, id }: Owner, now: Date): Promise<number> {
  const owned = type === 'client' ? { clientId: id } : type === 'user' ? { userId: id } : { audience: id };
  return await db.token.count({
    where: { ...owned, kind: { in: [...TOKEN_KINDS] }, revokedAt: null, consumedAt: null, expiresAt: { gt: now } },
  });
}

/**
 * Ends what the owner holds. Answers how many tokens that were good ended; codes and grants are not counted. Each first
 * waits for the tokens that are being inserted (src/oidc/token-row.ts), by the lock that such an insert holds until it
 * is committed, and then looks in a statement of its own: it finds them all.
 */
export async function revokeAll(tx: Tx, owner: Owner, now: Date): Promise<number> {
  switch (owner.type) {
    case 'client':
      await tx.$queryRaw`SELECT 1 FROM client WHERE client_id = ${owner.id} FOR UPDATE`;
      return counted(
        await tx.$queryRaw<Ended[]>`
          UPDATE token SET revoked_at = ${now}
          WHERE client_id = ${owner.id} AND kind <> 'ReplayDetection' AND revoked_at IS NULL AND expires_at > ${now}
          RETURNING kind, consumed_at`,
      );
    case 'user':
      await tx.$queryRaw`SELECT 1 FROM token WHERE kind = 'Grant' AND user_id = ${owner.id}::uuid AND revoked_at IS NULL
        ORDER BY id_hash FOR UPDATE`;
      return counted(
        await tx.$queryRaw<Ended[]>`
          UPDATE token SET revoked_at = ${now}
          WHERE user_id = ${owner.id}::uuid AND kind <> 'Interaction' AND revoked_at IS NULL AND expires_at > ${now}
          RETURNING kind, consumed_at`,
      );
    case 'api':
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${owner.id}, 1))`;
      // A refresh token is for an application, whatever APIs it may ask for: it stays.
      return counted(
        await tx.$queryRaw<Ended[]>`
          UPDATE token SET revoked_at = ${now}
          WHERE audience = ${owner.id} AND kind IN ('AccessToken', 'ClientCredentials') AND revoked_at IS NULL
            AND expires_at > ${now}
          RETURNING kind, consumed_at`,
      );
  }
}

interface Ended {
  kind: string;
  consumed_at: Date | null;
}

function counted(ended: Ended[]): number {
  const kinds = new Set<string>(TOKEN_KINDS);
  return ended.filter(({ kind, consumed_at: consumed }) => kinds.has(kind) && consumed === null).length;
}
