import { isId } from '../../kernel/ids.ts';
import { decodeTimeCursor, PAGE_SIZE, type Page, toPage } from '../../kernel/paging.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { keyset } from '../../platform/db/keyset.ts';
import type { UserStatus } from './store.ts';

const userFields = { id: true, email: true, name: true, status: true, createdAt: true, lastSignInAt: true } as const;

export interface UserFilter {
  /** Part of a name or of an e-mail address. */
  search?: string | undefined;
  status?: UserStatus | undefined;
  /** The `next` or `previous` of another page. */
  after?: string | undefined;
}

export interface ListedUser {
  id: string;
  email: string;
  name: string;
  status: UserStatus;
  createdAt: Date;
  lastSignInAt: Date | null;
}

/** What the people pages read and remove beyond the account itself. */
export function createUserAdminStore({ prisma, query }: Pick<Database, 'prisma' | 'query'>) {
  return {
    /** Newest first. Without a search the index by time gives each page; a search reads on until a page is full. */
    async page({ search, status, after }: UserFilter): Promise<Page<ListedUser>> {
      const cursor = decodeTimeCursor(after);
      const from = cursor && isId(cursor.id) ? cursor : undefined;
      const { where, orderBy } = keyset('id', from);
      // Prisma hands the text to LIKE as it is: % and _ would be wildcards.
      const contains = search?.replace(/[\\%_]/g, '\\$&');
      const rows = await prisma.user.findMany({
        where: {
          AND: [
            where,
            status ? { status } : {},
            contains
              ? {
                  OR: [
                    { emailNormalized: { contains: contains.normalize('NFKC').toLowerCase() } },
                    { name: { contains, mode: 'insensitive' } },
                  ],
                }
              : {},
          ],
        },
        orderBy,
        take: PAGE_SIZE + 1,
        select: userFields,
      });
      const view = (row: (typeof rows)[number]): ListedUser => ({ ...row, status: row.status as UserStatus });
      return toPage(rows, PAGE_SIZE, view, (row) => ({ at: row.createdAt, id: row.id }), from);
    },

    /** Names of the roles that have effect, by person, for one page of the list in one query. */
    async rolesOfMany(userIds: readonly string[], at: Date): Promise<Map<string, string[]>> {
      const text = `SELECT x.user_id, json_agg(DISTINCT r.name ORDER BY r.name) AS roles
        FROM effective_role x JOIN role r ON r.id = x.role_id
        WHERE x.user_id = ANY($1::uuid[]) AND (x.expires_at IS NULL OR x.expires_at > $2) GROUP BY x.user_id`;
      const rows = await query<{ user_id: string; roles: string[] }>('accounts.roles_of_many', text, [userIds, at]);
      return new Map(rows.map((row) => [row.user_id, row.roles]));
    },

    openInvite: (userId: string, at: Date): Promise<{ createdAt: Date; expiresAt: Date } | null> =>
      prisma.oneTimeLink.findFirst({
        where: { userId, kind: 'invite', usedAt: null, expiresAt: { gt: at } },
        orderBy: { createdAt: 'desc' },
        select: { createdAt: true, expiresAt: true },
      }),

    deleteUser: async (tx: Tx, id: string): Promise<boolean> =>
      (await tx.user.deleteMany({ where: { id } })).count === 1,
  };
}
