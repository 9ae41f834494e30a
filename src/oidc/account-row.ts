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

/** An account as the protocol sees it; `user` and `client` are what their ids stand in. */
export const selectAccount = (user: string, client: string): string => `SELECT u.id, u.email, u.name,
    extract(epoch FROM u.updated_at)::float8 AS updated,
    (SELECT json_agg(DISTINCT r.name ORDER BY r.name) FROM effective_role x JOIN role r ON r.id = x.role_id
      WHERE x.user_id = u.id AND (x.expires_at IS NULL OR x.expires_at > now())) AS roles,
    (SELECT json_agg(DISTINCT t.name ORDER BY t.name) FROM team_member m
      JOIN team_reach tr ON tr.team_id = m.team_id JOIN team t ON t.id = tr.reaches_id
      WHERE m.user_id = u.id) AS groups,
    (SELECT json_agg(DISTINCT a.audience || '#' || p.name) FROM effective_role x
      JOIN role_permission rp ON rp.role_id = x.role_id
      JOIN permission p ON p.id = rp.permission_id JOIN api a ON a.id = p.api_id
      WHERE x.user_id = u.id AND (x.expires_at IS NULL OR x.expires_at > now())) AS permissions,
    (SELECT c.scopes FROM consent c WHERE c.user_id = u.id AND c.client_id = ${client}) AS consented
  FROM user_account u WHERE u.id = ${user} AND u.status = 'active'`;

export interface AccountRow {
  id: string;
  email: string;
  name: string;
  /** Seconds since the epoch. */
  updated: number;
  roles: string[] | null;
  groups: string[] | null;
  permissions: string[] | null;
  consented: string[] | null;
}

export function toAccount(row: AccountRow): AccountRecord {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    updatedAt: new Date(row.updated * 1000),
    roles: row.roles ?? [],
    groups: row.groups ?? [],
    permissions: row.permissions ?? [],
    consented: row.consented ?? undefined,
  };
}
