import type { Database, Tx } from '../../platform/db/database.ts';

export interface ConsentRow {
  clientId: string;
  clientName: string;
  /** OpenID Connect scopes, and API permissions as `<audience>#<permission>`. */
  scopes: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface ConsentStore {
  remembered(userId: string, clientId: string): Promise<string[]>;
  list(userId: string): Promise<ConsentRow[]>;
  /** Adds to what was allowed before; two windows at once lose nothing. */
  add(tx: Tx, userId: string, clientId: string, scopes: string[], at: Date): Promise<void>;
  remove(tx: Tx, userId: string, clientId: string): Promise<boolean>;
}

export function createConsentStore(db: Database): ConsentStore {
  return {
    async remembered(userId, clientId) {
      const row = await db.prisma.consent.findUnique({ where: { userId_clientId: { userId, clientId } } });
      return row?.scopes ?? [];
    },
    async list(userId) {
      const rows = await db.prisma.consent.findMany({
        where: { userId },
        include: { client: { select: { name: true } } },
        orderBy: { updatedAt: 'desc' },
      });
      return rows.map(({ clientId, client, scopes, createdAt, updatedAt }) => ({
        clientId,
        clientName: client.name,
        scopes,
        createdAt,
        updatedAt,
      }));
    },
    async add(tx, userId, clientId, scopes, at) {
      await tx.$executeRaw`
        INSERT INTO consent (user_id, client_id, scopes, created_at, updated_at)
        VALUES (${userId}::uuid, ${clientId}, ${scopes}::text[], ${at}, ${at})
        ON CONFLICT (user_id, client_id) DO UPDATE SET
          scopes = ARRAY(SELECT DISTINCT unnest(consent.scopes || excluded.scopes) ORDER BY 1),
          updated_at = excluded.updated_at`;
    },
    async remove(tx, userId, clientId) {
      return (await tx.consent.deleteMany({ where: { userId, clientId } })).count === 1;
    },
  };
}
