import type { Tx } from '../../platform/db/database.ts';
import { TOKEN_KINDS, type TokenState } from './schema.ts';
import { stateAt } from './store.ts';

/** One token of those that came from one another by exchange (RFC 8693). */
export interface LineageStep {
  jti: string;
  /** 0: the token that was asked for; below 0: what it came from; above: what came from it. */
  distance: number;
  state: TokenState;
  audience: string | undefined;
  /** Who holds it: the application in front, then the services that acted. */
  client: string | undefined;
  createdAt: Date;
}

/** A page shows so many at the most; a chain is five long, but a token may be exchanged any number of times. */
const MOST_SHOWN = 50;

interface Row {
  jti: string;
  distance: number;
  state: TokenState;
  audience: string | null;
  client: string | null;
  created_at: Date;
}

/** From the first token on; empty where nothing was exchanged. */
export async function findLineage(db: Tx, jti: string, now: Date): Promise<LineageStep[]> {
  const rows = await db.$queryRaw<Row[]>`
    WITH RECURSIVE up AS (
      SELECT t.jti, t.parent_jti, 0 AS distance FROM token t WHERE t.jti = ${jti} AND t.kind = ANY(${[...TOKEN_KINDS]}::text[])
      UNION ALL
      SELECT t.jti, t.parent_jti, up.distance - 1 FROM up JOIN token t ON t.jti = up.parent_jti
    ), down AS (
      SELECT up.jti, 0 AS distance FROM up WHERE up.distance = 0
      UNION ALL
      SELECT t.jti, down.distance + 1 FROM down JOIN token t ON t.parent_jti = down.jti
    ), line AS (
      SELECT jti, distance FROM up UNION SELECT jti, distance FROM down
    )
    SELECT t.jti, line.distance, t.audience, coalesce(c.name, t.client_id) AS client, t.created_at,
      ${stateAt(now)} AS state
    FROM line JOIN token t ON t.jti = line.jti LEFT JOIN client c ON c.client_id = t.client_id
    ORDER BY line.distance, t.created_at, t.jti LIMIT ${MOST_SHOWN}`;
  if (rows.length < 2) return [];
  return rows.map(({ audience, client, created_at: createdAt, ...row }) => ({
    ...row,
    audience: audience ?? undefined,
    client: client ?? undefined,
    createdAt,
  }));
}
