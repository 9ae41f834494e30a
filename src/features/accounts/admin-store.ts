import type { Database, Tx } from '../../platform/db/database.ts';

/** What the people pages read and remove beyond the account itself. */
export function createUserAdminStore({ prisma }: Pick<Database, 'prisma'>) {
  return {
    /** Role names by person, for one page of the list in one query. */
    async rolesOfMany(userIds: readonly string[], at: Date): Promise<Map<string, string[]>> {
      const rows = await prisma.assignment.findMany({
        where: { userId: { in: [...userIds] }, OR: [{ expiresAt: null }, { expiresAt: { gt: at } }] },
        select: { userId: true, role: { select: { name: true } } },
        orderBy: { role: { name: 'asc' } },
      });
      const roles = new Map<string, string[]>();
      for (const { userId, role } of rows) {
        if (userId) roles.set(userId, [...(roles.get(userId) ?? []), role.name]);
      }
      return roles;
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

export type UserAdminStore = ReturnType<typeof createUserAdminStore>;
