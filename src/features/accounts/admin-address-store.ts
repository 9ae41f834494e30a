import type { Database } from '../../platform/db/database.ts';
import { ADMIN_ROLE } from './store.ts';

/** E-mail addresses of the people who can sign in as admins at this moment. */
export async function adminAddresses({ prisma }: Pick<Database, 'prisma'>, now: Date): Promise<string[]> {
  const people = await prisma.user.findMany({
    where: {
      status: 'active',
      assignments: { some: { role: { name: ADMIN_ROLE }, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] } },
    },
    select: { email: true },
    orderBy: { email: 'asc' },
  });
  return people.map(({ email }) => email);
}
