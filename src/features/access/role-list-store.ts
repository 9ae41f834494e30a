import { cutPage, PAGE_SIZE, type Page } from '../../kernel/paging.ts';
import type { Database, Tx } from '../../platform/db/database.ts';

export interface RoleListItem {
  name: string;
  description: string;
  /** Comes with Postern and stays. */
  builtIn: boolean;
  createdAt: Date;
  /** How many it carries itself. */
  permissions: number;
  /** How many it is given to now. */
  people: number;
  serviceAccounts: number;
  teams: number;
}

/** The beginning of the list of roles: enough to choose from by eye, and no more than a page can carry. */
export interface OfferedRoles {
  roles: { name: string; description: string }[];
  /** There are no others. */
  complete: boolean;
}

/** Roles that a form offers. */
const MOST_OFFERED = 100;

/** Where the list goes on: after this role, or back before it. */
interface Cursor {
  builtIn: boolean;
  name: string;
  back: boolean;
}

const encode = ({ builtIn, name, back }: Cursor): string =>
  Buffer.from(`${back ? 'before' : 'after'} ${builtIn ? 'built-in' : 'own'} ${name}`).toString('base64url');

/** undefined for what no list gave out: the list then starts at its beginning. */
function decode(text: string | undefined): Cursor | undefined {
  const decoded = Buffer.from(text ?? '', 'base64url').toString();
  const [, towards, kind, name] = /^(after|before) (built-in|own) ([\x21-\x7e]{1,60})$/.exec(decoded) ?? [];
  return name === undefined ? undefined : { builtIn: kind === 'built-in', name, back: towards === 'before' };
}

interface Row {
  name: string;
  description: string;
  built_in: boolean;
  created_at: Date;
  permissions: number;
  people: number;
  service_accounts: number;
  teams: number;
}

// The page is cut first: what is counted is counted for its rows alone. `false` sorts before `true`.
function listStatement(back: boolean): string {
  const order = back ? 'NOT built_in DESC, name DESC' : 'NOT built_in, name';
  return `SELECT r.*, h.*,
    (SELECT count(*)::int FROM role_permission p WHERE p.role_id = r.id) AS permissions
  FROM (SELECT id, name, description, built_in, created_at FROM role
    WHERE ($1::text IS NULL OR name ILIKE $1 OR description ILIKE $1)
      AND ($2::boolean IS NULL OR (NOT built_in, name) ${back ? '<' : '>'} (NOT $2, $3::text))
    ORDER BY ${order} LIMIT $4) r
  CROSS JOIN LATERAL (SELECT count(a.user_id)::int AS people, count(a.service_account_id)::int AS service_accounts,
      count(a.team_id)::int AS teams
    FROM assignment a WHERE a.role_id = r.id AND (a.expires_at IS NULL OR a.expires_at > $5)) h
  ORDER BY ${order}`;
}

/** The built-in role, then the others by name, in one statement. `search`: part of a name or description. */
export async function listRoles(
  db: Pick<Database, 'query'>,
  filter: { search?: string | undefined; after?: string | undefined; now: Date },
): Promise<Page<RoleListItem>> {
  const { search, after, now } = filter;
  const pattern = search ? `%${search.replace(/[\\%_]/g, '\\$&')}%` : null;
  const from = decode(after);
  const back = from?.back === true;
  const rows = await db.query<Row>(`access.list-roles.${back ? 'back' : 'on'}`, listStatement(back), [
    pattern,
    from?.builtIn ?? null,
    from?.name ?? null,
    PAGE_SIZE + 1,
    now,
  ]);
  const cursorOf = (row: Row, towards: boolean) => encode({ builtIn: row.built_in, name: row.name, back: towards });
  return cutPage(rows, PAGE_SIZE, toItem, cursorOf, from);
}

function toItem({ built_in, created_at, service_accounts, ...row }: Row): RoleListItem {
  const { name, description, permissions, people, teams } = row;
  const counts = { permissions, people, serviceAccounts: service_accounts, teams };
  return { name, description, builtIn: built_in, createdAt: created_at, ...counts };
}

/** In the order of the list. `except`: the name of one that is not offered. */
export async function offerRoles(
  db: Tx,
  { builtIn, except }: { builtIn: boolean; except?: string | undefined },
): Promise<OfferedRoles> {
  const roles = await db.role.findMany({
    where: { ...(builtIn ? {} : { builtIn: false }), ...(except === undefined ? {} : { name: { not: except } }) },
    orderBy: [{ builtIn: 'desc' }, { name: 'asc' }],
    take: MOST_OFFERED + 1,
    select: { name: true, description: true },
  });
  return { roles: roles.slice(0, MOST_OFFERED), complete: roles.length <= MOST_OFFERED };
}
