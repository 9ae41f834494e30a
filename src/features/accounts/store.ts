import type { Prisma } from '../../generated/prisma/client.ts';
import type { Database, Tx } from '../../platform/db/database.ts';

export type UserStatus = 'invited' | 'active' | 'disabled';
export type LinkKind = 'setup' | 'invite' | 'ticket';

/** The role that makes an admin; a migration makes it. */
export const ADMIN_ROLE = 'admin';

const userFields = { id: true, email: true, name: true, status: true, createdAt: true, lastSignInAt: true } as const;

export type UserRow = Prisma.UserGetPayload<{ select: typeof userFields }>;

const activeAdmin = (role: string, at: string): string =>
  `SELECT 1 FROM assignment a JOIN role r ON r.id = a.role_id JOIN user_account u ON u.id = a.user_id
    WHERE r.name = ${role} AND u.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > ${at})`;

export function createAccountStore(db: Database) {
  const { prisma } = db;

  return {
    userById: (id: string, tx: Tx = prisma): Promise<UserRow | null> =>
      tx.user.findUnique({ where: { id }, select: userFields }),

    userByEmail: (emailNormalized: string): Promise<UserRow | null> =>
      prisma.user.findUnique({ where: { emailNormalized }, select: userFields }),

    /** Answers false where the address is taken: a failed INSERT would end the caller's transaction. */
    async insertUser(
      tx: Tx,
      user: { id: string; email: string; emailNormalized: string; name: string; status: UserStatus; at: Date },
    ): Promise<boolean> {
      const { at, ...fields } = user;
      const made = await tx.user.createMany({
        data: [{ ...fields, createdAt: at, updatedAt: at }],
        skipDuplicates: true,
      });
      return made.count === 1;
    },

    async setStatus(tx: Tx, id: string, from: UserStatus[], to: UserStatus, at: Date): Promise<boolean> {
      const changed = await tx.user.updateMany({
        where: { id, status: { in: from } },
        data: { status: to, updatedAt: at, disabledAt: to === 'disabled' ? at : null },
      });
      return changed.count === 1;
    },

    async lockInvited(tx: Tx, id: string): Promise<boolean> {
      const rows = await tx.$queryRaw<unknown[]>`
        SELECT id FROM user_account WHERE id = ${id}::uuid AND status = 'invited' FOR UPDATE`;
      return rows.length === 1;
    },

    async setName(tx: Tx, id: string, name: string, at: Date): Promise<boolean> {
      return (await tx.user.updateMany({ where: { id }, data: { name, updatedAt: at } })).count === 1;
    },

    hasPassword: async (tx: Tx, userId: string): Promise<boolean> =>
      (await tx.user.count({ where: { id: userId, password: { isNot: null } } })) === 1,

    /** By assignment, by a team, by what these include. */
    async rolesOf(userId: string): Promise<string[]> {
      const rows = await db.query<{ name: string }>(
        'accounts.roles_of',
        `SELECT DISTINCT r.name FROM effective_role x JOIN role r ON r.id = x.role_id
          WHERE x.user_id = $1::uuid AND (x.expires_at IS NULL OR x.expires_at > now())
          ORDER BY r.name`,
        [userId],
      );
      return rows.map((row) => row.name);
    },

    /** Answers false where no such role exists. Holding it already is fine. */
    async assignRole(
      tx: Tx,
      entry: { id: string; userId: string; role: string; grantedBy: string; at: Date },
    ): Promise<boolean> {
      const role = await tx.role.findUnique({ where: { name: entry.role }, select: { id: true } });
      if (!role) return false;
      await tx.assignment.createMany({
        data: [
          { id: entry.id, roleId: role.id, userId: entry.userId, grantedBy: entry.grantedBy, createdAt: entry.at },
        ],
        skipDuplicates: true,
      });
      return true;
    },

    /** Makes everybody who takes a right from an admin wait for each other until their transactions end. */
    async lockAdmins(tx: Tx): Promise<void> {
      await tx.$queryRaw`SELECT id FROM role WHERE name = ${ADMIN_ROLE} FOR UPDATE`;
    },

    /** People who could act as admins at `at`. */
    activeAdmins: (tx: Tx, at: Date): Promise<number> =>
      tx.assignment.count({
        where: {
          role: { name: ADMIN_ROLE },
          user: { status: 'active' },
          OR: [{ expiresAt: null }, { expiresAt: { gt: at } }],
        },
      }),

    /** Those among them whose role has no end. */
    lastingAdmins: (tx: Tx): Promise<number> =>
      tx.assignment.count({ where: { role: { name: ADMIN_ROLE }, user: { status: 'active' }, expiresAt: null } }),

    async insertLink(
      tx: Tx,
      link: {
        id: string;
        kind: LinkKind;
        tokenHash: Uint8Array<ArrayBuffer>;
        tokenEnc: Uint8Array<ArrayBuffer> | null;
        userId: string | null;
        createdBy: string | null;
        createdAt: Date;
        expiresAt: Date;
      },
    ): Promise<void> {
      await tx.oneTimeLink.create({ data: link });
    },

    /** One winner: whoever's UPDATE finds the row unused. */
    async useLink(
      tx: Tx,
      kind: LinkKind,
      tokenHash: Uint8Array<ArrayBuffer>,
      at: Date,
    ): Promise<{ id: string; userId: string | null } | null> {
      const rows = await tx.$queryRaw<{ id: string; userId: string | null }[]>`
        UPDATE one_time_link SET used_at = ${at}, token_enc = NULL
         WHERE kind = ${kind} AND token_hash = ${tokenHash} AND used_at IS NULL AND expires_at > ${at}
        RETURNING id, user_id AS "userId"`;
      return rows[0] ?? null;
    },

    openLink: (kind: LinkKind, tokenHash: Uint8Array<ArrayBuffer>, at: Date) =>
      prisma.oneTimeLink.findFirst({
        where: { kind, tokenHash, usedAt: null, expiresAt: { gt: at } },
        select: { id: true, userId: true, expiresAt: true },
      }),

    // What every start asks is asked by SQL: a process that only starts must not load Prisma's engine.
    async hasAdmin(at: Date): Promise<boolean> {
      const text = `${activeAdmin('$1', '$2')} LIMIT 1`;
      return (await db.query('accounts-has-admin', text, [ADMIN_ROLE, at])).length > 0;
    },

    async newestSetupLink(at: Date): Promise<{ id: string; tokenEnc: Buffer } | undefined> {
      const text = `SELECT id, token_enc AS "tokenEnc" FROM one_time_link
        WHERE kind = 'setup' AND used_at IS NULL AND expires_at > $1 AND token_enc IS NOT NULL
        ORDER BY created_at DESC, id DESC LIMIT 1`;
      const [link] = await db.query<{ id: string; tokenEnc: Buffer }>('accounts-setup-link', text, [at]);
      return link;
    },

    /** Makes the link unless there is an admin or an open link; serialised with whoever does either beside us. */
    async addSetupLink(link: { id: string; tokenHash: Buffer; tokenEnc: Buffer; at: Date; expiresAt: Date }) {
      const { id, tokenHash, tokenEnc, at, expiresAt } = link;
      await db.batch([
        { text: 'SELECT id FROM role WHERE name = $1 FOR UPDATE', values: [ADMIN_ROLE] },
        {
          text: `UPDATE one_time_link SET used_at = $1, token_enc = NULL
            WHERE kind = 'setup' AND used_at IS NULL AND expires_at <= $1`,
          values: [at],
        },
        {
          text: `INSERT INTO one_time_link (id, kind, token_hash, token_enc, created_at, expires_at)
            SELECT $1, 'setup', $2, $3, $4, $5
            WHERE NOT EXISTS (SELECT 1 FROM one_time_link WHERE kind = 'setup' AND used_at IS NULL)
              AND NOT EXISTS (${activeAdmin('$6', '$4')})`,
          values: [id, tokenHash, tokenEnc, at, expiresAt, ADMIN_ROLE],
        },
      ]);
    },

    /** Takes links of this kind out of use: all of a person, or all. */
    async cancelLinks(tx: Tx, kind: LinkKind, userId: string | undefined, at: Date): Promise<number> {
      const cancelled = await tx.oneTimeLink.updateMany({
        where: { kind, usedAt: null, ...(userId === undefined ? {} : { userId }) },
        data: { usedAt: at, tokenEnc: null },
      });
      return cancelled.count;
    },
  };
}

export type AccountStore = ReturnType<typeof createAccountStore>;
