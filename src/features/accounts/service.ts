import type { Clock } from '../../kernel/clock.ts';
import { AppError, notFound } from '../../kernel/errors.ts';
import { isId, newId } from '../../kernel/ids.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { AccountStore, UserRow, UserStatus } from './store.ts';

export interface UserView {
  id: string;
  email: string;
  name: string;
  status: UserStatus;
  createdAt: Date;
  lastSignInAt: Date | null;
}

export interface Needs {
  /** Ends what a person has open: sessions, authorization codes, refresh tokens, grants. */
  endSessions(tx: Tx, userId: string): Promise<unknown>;
}

export interface AccountService {
  /** By e-mail address, in any of its spellings. */
  findByLogin(login: string): Promise<UserView | null>;
  byId(id: string): Promise<UserView | null>;
  /** Names of the roles that the person holds now. */
  rolesOf(userId: string): Promise<string[]>;
  /** Throws AppError `users.email_taken` (409) with the field `email`. Writes no audit event. */
  create(tx: Tx, user: { email: string; name: string; status: UserStatus }): Promise<UserView>;
  /** Throws AppError `roles.unknown` (422). Writes no audit event. */
  assignRole(tx: Tx, userId: string, role: string, grantedBy: string): Promise<void>;
  /** invited → active. False when the account isn't invited (any more). Writes no audit event. */
  activate(tx: Tx, id: string): Promise<boolean>;
  /** Keeps an invited account as it is until the transaction ends. False when it isn't invited (any more). */
  lockInvited(tx: Tx, id: string): Promise<boolean>;
  rename(tx: Tx, id: string, name: string): Promise<void>;
  /**
   * Ends the person's sessions and tokens too, and records `user.disable`. Throws AppError `not_found` (404),
   * `users.last_admin` (409) where nobody could administer any more. Doing it twice changes nothing.
   */
  disable(id: string, origin: ChangeBy): Promise<void>;
  /** To active, or back to invited where no password was set. Records `user.enable`. */
  enable(id: string, origin: ChangeBy): Promise<void>;
  /** Whether an active admin exists. */
  hasAdmin(): Promise<boolean>;
  /** True while there is no admin; until the transaction ends nobody else can become one. */
  awaitsFirstAdmin(tx: Tx): Promise<boolean>;
}

/** One form for all spellings of an address (S62): Unicode compatibility forms, letter case, spaces around it. */
export function normalizeEmail(email: string): string {
  return email.normalize('NFKC').trim().toLowerCase();
}

function view(row: UserRow): UserView {
  return { ...row, status: row.status as UserStatus };
}

export function createAccountService(deps: {
  db: Database;
  store: AccountStore;
  audit: Audit;
  clock: Clock;
  needs: Needs;
}): AccountService {
  const { db, store, audit, clock, needs } = deps;

  async function known(tx: Tx, id: string): Promise<UserView> {
    const row = isId(id) ? await store.userById(id, tx) : null;
    if (!row) throw notFound();
    return view(row);
  }

  const target = (user: UserView) => ({ type: 'user', id: user.id, name: user.email });

  return {
    async findByLogin(login) {
      const row = await store.userByEmail(normalizeEmail(login));
      return row && view(row);
    },

    async byId(id) {
      const row = isId(id) ? await store.userById(id) : null;
      return row && view(row);
    },

    rolesOf: (userId) => store.rolesOf(userId),

    async create(tx, { email, name, status }) {
      const at = clock.now();
      const user = { id: newId(at.getTime()), email: email.normalize('NFC').trim(), name: name.trim(), status };
      if (!(await store.insertUser(tx, { ...user, emailNormalized: normalizeEmail(email), at }))) {
        const code = 'users.email_taken';
        throw new AppError(code, { status: 409, fields: { email: { code } } });
      }
      return { ...user, createdAt: at, lastSignInAt: null };
    },

    async assignRole(tx, userId, role, grantedBy) {
      const at = clock.now();
      if (!(await store.assignRole(tx, { id: newId(at.getTime()), userId, role, grantedBy, at }))) {
        throw new AppError('roles.unknown', { status: 422, params: { name: role } });
      }
    },

    activate: (tx, id) => store.setStatus(tx, id, ['invited'], 'active', clock.now()),

    lockInvited: (tx, id) => store.lockInvited(tx, id),

    async rename(tx, id, name) {
      if (!(await store.setName(tx, id, name.trim(), clock.now()))) throw notFound();
    },

    disable: (id, origin) =>
      db.tx(async (tx) => {
        // Of two admins who disable each other at the same time, one stays.
        await store.lockAdmins(tx);
        const user = await known(tx, id);
        const admins = await store.lastingAdmins(tx);
        if (!(await store.setStatus(tx, id, ['active', 'invited'], 'disabled', clock.now()))) return;
        if (admins > 0 && (await store.lastingAdmins(tx)) === 0) {
          throw new AppError('users.last_admin', { status: 409 });
        }
        await store.cancelLinks(tx, 'invite', id, clock.now());
        await store.cancelLinks(tx, 'ticket', id, clock.now());
        await needs.endSessions(tx, id);
        await audit.in(tx, changeEvent(origin, { action: 'user.disable', target: target(user) }));
      }),

    enable: (id, origin) =>
      db.tx(async (tx) => {
        const user = await known(tx, id);
        const to = (await store.hasPassword(tx, id)) ? 'active' : 'invited';
        if (!(await store.setStatus(tx, id, ['disabled'], to, clock.now()))) return;
        await audit.in(tx, changeEvent(origin, { action: 'user.enable', target: target(user) }));
      }),

    hasAdmin: () => store.hasAdmin(clock.now()),

    async awaitsFirstAdmin(tx) {
      await store.lockAdmins(tx);
      return (await store.activeAdmins(tx, clock.now())) === 0;
    },
  };
}
