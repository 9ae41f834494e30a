import { check, invalidInput } from '../../kernel/check.ts';
import { AppError, notFound } from '../../kernel/errors.ts';
import { isId } from '../../kernel/ids.ts';
import type { Page } from '../../kernel/paging.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Tx } from '../../platform/db/database.ts';
import { createUserMail } from './admin-mail.ts';
import type {
  FactorsView,
  HeldRoleView,
  SessionView,
  SignInLock,
  TeamOfView,
  UserAdminNeeds,
  UserConsentView,
  UserEventView,
  UserTokenView,
} from './admin-needs.ts';
import { type NewUserInput, newUserInput } from './admin-schema.ts';
import { createUserAdminStore, type UserFilter } from './admin-store.ts';
import type { UserView } from './service.ts';
import type { UserStatus } from './store.ts';

/** An invitation works once, and for this long. */
export const INVITE_TTL_SECONDS = 72 * 3600;
const RECENT_EVENTS = 15;
const SHOWN_TOKENS = 10;
const EXPORTED = 10_000;

export interface UserListItem extends UserView {
  roles: string[];
}

export interface UserDetail {
  user: UserView;
  /** Names of those that have effect. */
  roles: string[];
  held: HeldRoleView[];
  teams: TeamOfView[];
  invite: { createdAt: Date; expiresAt: Date } | null;
  sessions: SessionView[];
  factors: FactorsView;
  lock: SignInLock | null;
  tokens: UserTokenView[];
  events: UserEventView[];
}

export interface Invitation {
  user: UserView;
  /** Shown once; only its digest is kept. */
  inviteUrl: string;
  expiresAt: Date;
  /** It was also sent to the person. */
  mailed: boolean;
}

export interface UserExport {
  user: UserView;
  roles: string[];
  teams: TeamOfView[];
  factors: FactorsView;
  sessions: SessionView[];
  consents: UserConsentView[];
  tokens: UserTokenView[];
  events: UserEventView[];
}

/**
 * What an admin does with people's accounts. Unknown ids throw AppError `not_found` (404). Each change commits together
 * with its audit event; mails go out after that and never undo it.
 */
export interface UserAdmin {
  /** Id of the account with this id or e-mail address. */
  find(idOrEmail: string): Promise<string>;
  list(filter: UserFilter): Promise<Page<UserListItem>>;
  show(id: string): Promise<UserDetail>;
  export(id: string, origin: ChangeBy): Promise<UserExport>;
  /** @throws invalid_input, users.email_taken, roles.not_found */
  invite(input: NewUserInput, origin: ChangeBy): Promise<Invitation>;
  /** Links made before stop working. @throws users.not_invited (409) */
  renewInvite(id: string, origin: ChangeBy): Promise<Invitation>;
  /** @throws invalid_input, users.email_taken, roles.not_found */
  createWithPassword(input: NewUserInput, password: string, origin: ChangeBy): Promise<UserView>;
  /** Kills sessions, codes and refresh tokens at once. @throws users.self (409), users.last_admin (409) */
  disable(id: string, origin: ChangeBy): Promise<void>;
  /** Failed tries are forgotten, too. */
  enable(id: string, origin: ChangeBy): Promise<void>;
  /** Forgets failed tries: who knows the password may sign in at once, on any device. */
  unlock(id: string, origin: ChangeBy): Promise<void>;
  endSession(id: string, sessionUid: string, origin: ChangeBy): Promise<void>;
  /** Answers how many ended. */
  endSessions(id: string, origin: ChangeBy): Promise<number>;
  /** The next sign-in enrols anew; everything open ends; failed tries are forgotten; the owner is told. @throws users.self (409) */
  resetFactors(id: string, origin: ChangeBy): Promise<void>;
  /** `expires`: ISO 8601; empty or left out: no end. @throws invalid_input on field `expires`, roles.not_found */
  assignRole(id: string, role: string, origin: ChangeBy, expires?: string): Promise<void>;
  /** @throws roles.last_admin (409) */
  unassignRole(id: string, role: string, origin: ChangeBy): Promise<void>;
  /** @throws users.self (409), roles.last_admin (409) */
  delete(id: string, origin: ChangeBy): Promise<UserView>;
}

export function createUserAdmin(needs: UserAdminNeeds): UserAdmin {
  const { db, audit, clock, accounts, credentials, sessions, roles, limits, issuer } = needs;
  const store = createUserAdminStore(db);
  const mail = createUserMail(needs);

  async function known(id: string): Promise<UserView> {
    const user = isId(id) ? await accounts.byId(id) : null;
    if (!user) throw notFound();
    return user;
  }

  function target(user: UserView) {
    return { type: 'user', id: user.id, name: user.email };
  }

  // An admin who means their own account has /account; here it would lock them out by a slip.
  function refuseSelf(id: string, origin: ChangeBy): void {
    if (origin.by.type === 'user' && origin.by.id === id) throw new AppError('users.self', { status: 409 });
  }

  async function makeInvite(tx: Tx, user: UserView, origin: ChangeBy): Promise<{ token: string; expiresAt: Date }> {
    const expiresAt = new Date(clock.now().getTime() + INVITE_TTL_SECONDS * 1000);
    const { token } = await accounts.links.createLink(tx, {
      kind: 'invite',
      userId: user.id,
      ttlSeconds: INVITE_TTL_SECONDS,
      createdBy: origin.by.id ?? origin.by.type,
    });
    return { token, expiresAt };
  }

  async function invitation(user: UserView, link: { token: string; expiresAt: Date }): Promise<Invitation> {
    const inviteUrl = `${issuer}/invite?token=${link.token}`;
    return { user, inviteUrl, expiresAt: link.expiresAt, mailed: await mail.invite(user, inviteUrl, link.expiresAt) };
  }

  async function insert(
    tx: Tx,
    input: { email: string; name: string; roles: string[] },
    status: UserStatus,
    origin: ChangeBy,
    how: 'invite' | 'password',
  ): Promise<UserView> {
    const { email, name } = input;
    const user = await accounts.create(tx, { email, name, status });
    await audit.in(tx, changeEvent(origin, { action: 'user.create', target: target(user), data: { how } }));
    for (const role of new Set(input.roles)) {
      await roles.assignIn(tx, role, user.id, origin).catch((error: unknown) => {
        const unknown = error instanceof AppError && error.code === 'roles.not_found';
        throw unknown ? unknownRole(role, error) : error;
      });
    }
    return user;
  }

  return {
    async find(idOrEmail) {
      const user = isId(idOrEmail) ? await accounts.byId(idOrEmail) : await accounts.findByLogin(idOrEmail);
      if (!user) throw notFound('users.not_found');
      return user.id;
    },

    async list({ search, status, after }) {
      const page = await store.page({ search: search?.trim().slice(0, 200) || undefined, status, after });
      const ids = page.items.map((user) => user.id);
      const held = await store.rolesOfMany(ids, clock.now());
      return { ...page, items: page.items.map((user) => ({ ...user, roles: held.get(user.id) ?? [] })) };
    },

    async show(id) {
      const user = await known(id);
      const [held, teams, invite, open, factors, lock, tokens, events] = await Promise.all([
        roles.heldBy(id),
        needs.teams.of(id),
        store.openInvite(id, clock.now()),
        sessions.listForUser(id),
        credentials.factorsOf(id),
        limits.lockOf(user.email),
        needs.tokens.activeOfUser(id, SHOWN_TOKENS),
        needs.events.about(id, RECENT_EVENTS),
      ]);
      const names = [...new Set(held.filter(({ expired }) => !expired).map(({ role }) => role))];
      return { user, roles: names, held, teams, invite, sessions: open, factors, lock, tokens, events };
    },

    async export(id, origin) {
      const user = await known(id);
      await audit.record(changeEvent(origin, { action: 'user.export', target: target(user) }));
      const [held, teams, factors, open, consents, tokens, events] = await Promise.all([
        accounts.rolesOf(id),
        needs.teams.of(id),
        credentials.factorsOf(id),
        sessions.listForUser(id),
        needs.consents.list(id),
        needs.tokens.activeOfUser(id, EXPORTED),
        needs.events.about(id, EXPORTED),
      ]);
      return { user, roles: held, teams, factors, sessions: open, consents, tokens, events };
    },

    async invite(input, origin) {
      const parsed = check(newUserInput, input);
      const made = await db.tx(async (tx) => {
        const user = await insert(tx, parsed, 'invited', origin, 'invite');
        const link = await makeInvite(tx, user, origin);
        await audit.in(tx, changeEvent(origin, { action: 'user.invite', target: target(user) }));
        return { user, link };
      });
      return invitation(made.user, made.link);
    },

    async renewInvite(id, origin) {
      const user = await known(id);
      const link = await db.tx(async (tx) => {
        if (!(await accounts.lockInvited(tx, id))) throw new AppError('users.not_invited', { status: 409 });
        await accounts.links.cancelLinks(tx, 'invite', id);
        await audit.in(tx, changeEvent(origin, { action: 'user.invite', target: target(user), data: { again: true } }));
        return makeInvite(tx, user, origin);
      });
      return invitation(user, link);
    },

    async createWithPassword(input, password, origin) {
      const parsed = check(newUserInput, input);
      const problem = credentials.checkPasswordPolicy(password, parsed);
      if (problem) throw invalidInput({ password: problem });
      // Before the transaction: no connection is held while the hash is made.
      const hash = await credentials.hashPassword(password);
      return db.tx(async (tx) => {
        const user = await insert(tx, parsed, 'active', origin, 'password');
        await credentials.setPassword(tx, user.id, hash);
        return user;
      });
    },

    async disable(id, origin) {
      refuseSelf(id, origin);
      await accounts.disable(id, origin);
    },

    async enable(id, origin) {
      const user = await known(id);
      // None begins while the account is disabled: what was begun before does not come back to life with it.
      if (user.status === 'disabled') await db.tx((tx) => sessions.forgetSignIns(tx, id));
      await accounts.enable(id, origin);
      if (user.status === 'disabled') await limits.clear(user.email);
    },

    async unlock(id, origin) {
      const user = await known(id);
      await db.tx(async (tx) => {
        await limits.clear(user.email, tx);
        await audit.in(tx, changeEvent(origin, { action: 'user.unlock', target: target(user) }));
      });
    },

    async endSession(id, sessionUid, origin) {
      const user = await known(id);
      const open = await sessions.listForUser(id);
      // The session of somebody else is as absent as one that never was.
      if (!open.some((session) => session.uid === sessionUid)) throw notFound();
      await db.tx(async (tx) => {
        if (!(await sessions.end(tx, sessionUid))) return;
        const data = { session: sessionUid };
        await audit.in(tx, changeEvent(origin, { action: 'session.end', target: target(user), data }));
      });
    },

    async endSessions(id, origin) {
      const user = await known(id);
      return db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, id);
        const ended = await sessions.endAll(tx, id);
        const data = { sessions: ended };
        await audit.in(tx, changeEvent(origin, { action: 'user.end_sessions', target: target(user), data }));
        return ended;
      });
    },

    async resetFactors(id, origin) {
      refuseSelf(id, origin);
      const user = await known(id);
      await db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, id);
        await credentials.resetFactors(tx, id);
        await sessions.endAll(tx, id);
        await accounts.links.cancelLinks(tx, 'ticket', id);
        await limits.clear(user.email, tx);
        await audit.in(tx, changeEvent(origin, { action: 'user.reset_factors', target: target(user) }));
      });
      await mail.factorsReset(user);
    },

    async assignRole(id, role, origin, expires) {
      await known(id);
      await roles.assign(role, id, origin, { expires });
    },

    async unassignRole(id, role, origin) {
      await known(id);
      await roles.unassign(role, id, origin);
    },

    async delete(id, origin) {
      refuseSelf(id, origin);
      const user = await known(id);
      await db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, id);
        await roles.assertNotLastAdmin(tx, id);
        await sessions.endAll(tx, id);
        if (!(await store.deleteUser(tx, id))) throw notFound();
        await audit.in(tx, changeEvent(origin, { action: 'user.delete', target: target(user) }));
      });
      return user;
    },
  };
}

/** Names of roles can be typed where a person is invited: a wrong one is said beside the field. */
function unknownRole(name: string, cause: AppError): AppError {
  const fields = { roles: { code: 'roles.include_unknown', params: { name } } };
  return new AppError(cause.code, { status: 422, fields, cause });
}
