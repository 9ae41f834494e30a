import type { Database } from '../platform/db/database.ts';

/** A person as the protocol sees them: only one who may sign in now. */
export interface AccountRecord {
  id: string;
  email: string;
  name: string;
  updatedAt: Date;
  /** By assignment, by a team, by what these include. */
  roles: string[];
  /** Names of the person's teams, and of the teams above them. */
  groups: string[];
  /** `<audience>#<permission>` of every permission that the roles hold. */
  permissions: string[];
  /** What was consented to for the client in question; undefined where nothing was. */
  consented: string[] | undefined;
}

export interface AccountSource {
  find(userId: string, clientId: string | undefined): Promise<AccountRecord | undefined>;
}

const FIND = `SELECT u.id, u.email, u.name, u.updated_at,
    (SELECT json_agg(DISTINCT r.name ORDER BY r.name) FROM effective_role x JOIN role r ON r.id = x.role_id
      WHERE x.user_id = u.id AND (x.expires_at IS NULL OR x.expires_at > now())) AS roles,
    (SELECT json_agg(DISTINCT t.name ORDER BY t.name) FROM team_member m
      JOIN team_reach tr ON tr.team_id = m.team_id JOIN team t ON t.id = tr.reaches_id
      WHERE m.user_id = u.id) AS groups,
    (SELECT json_agg(DISTINCT a.audience || '#' || p.name) FROM effective_role x
      JOIN role_permission rp ON rp.role_id = x.role_id
      JOIN permission p ON p.id = rp.permission_id JOIN api a ON a.id = p.api_id
      WHERE x.user_id = u.id AND (x.expires_at IS NULL OR x.expires_at > now())) AS permissions,
    (SELECT c.scopes FROM consent c WHERE c.user_id = u.id AND c.client_id = $2) AS consented
  FROM user_account u WHERE u.id = $1 AND u.status = 'active'`;

interface Row {
  id: string;
  email: string;
  name: string;
  updated_at: Date;
  roles: string[] | null;
  groups: string[] | null;
  permissions: string[] | null;
  consented: string[] | null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createAccountSource(db: Database): AccountSource {
  return {
    async find(userId, clientId) {
      if (!UUID.test(userId)) return undefined;
      const [row] = await db.query<Row>('account-find', FIND, [userId, clientId ?? null]);
      return (
        row && {
          id: row.id,
          email: row.email,
          name: row.name,
          updatedAt: row.updated_at,
          roles: row.roles ?? [],
          groups: row.groups ?? [],
          permissions: row.permissions ?? [],
          consented: row.consented ?? undefined,
        }
      );
    },
  };
}
