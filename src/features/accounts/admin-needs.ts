import type { Clock } from '../../kernel/clock.ts';
import type { FieldError } from '../../kernel/errors.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import type { Accounts } from './module.ts';

export interface SessionView {
  uid: string;
  address: string;
  userAgent: string;
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
  /** Names of the applications that take part. */
  clients: string[];
}

export interface FactorsView {
  totp: { createdAt: Date; lastUsedAt: Date | null } | null;
  recoveryLeft: number;
}

export interface UserTokenView {
  jti: string;
  kind: string;
  client?: { id: string; name: string } | undefined;
  scopes: string[];
  audience?: string | undefined;
  createdAt: Date;
  expiresAt: Date;
}

export interface UserEventView {
  id: string;
  time: Date;
  action: string;
  outcome: string;
  reason: string | null;
  actorId: string | null;
  actorName: string | null;
  targetId: string | null;
  targetName: string | null;
  address: string | null;
}

export interface UserConsentView {
  clientId: string;
  clientName: string;
  scopes: string[];
  createdAt: Date;
  updatedAt: Date;
}

/** A role that has effect, or was given and is over, with one of its sources. */
export interface HeldRoleView {
  role: string;
  description: string;
  source: 'direct' | 'team' | 'included';
  team?: { id: string; name: string };
  includedIn?: string;
  expiresAt: Date | null;
  expired: boolean;
  since: Date | null;
  grantedBy: { userId?: string; name: string } | null;
}

export interface TeamOfView {
  id: string;
  name: string;
  /** The person's own team below it; null where it is the person's own. */
  through: { id: string; name: string } | null;
}

/** After failed tries: closed until an admin opens it, or waiting until then. */
export interface SignInLock {
  closed: boolean;
  until: Date | null;
}

/** What administering people takes from other parts. Ids of people are those of UserView. */
export interface UserAdminNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  log: Log;
  /** Without a trailing slash; links in mails and on pages begin with it. */
  issuer: string;
  accounts: Accounts;
  credentials: {
    checkPasswordPolicy(password: string, about: { email: string; name: string }): FieldError | null;
    hashPassword(password: string): Promise<string>;
    setPassword(tx: Tx, userId: string, hash: string): Promise<void>;
    factorsOf(userId: string): Promise<FactorsView>;
    /** Takes the authenticator and the recovery codes away. */
    resetFactors(tx: Tx, userId: string): Promise<unknown>;
  };
  sessions: {
    listForUser(userId: string): Promise<SessionView[]>;
    /** Also ends what the session's browser holds at our own pages; false when it is gone already. */
    end(tx: Tx, sessionUid: string): Promise<boolean>;
    /** Sessions, codes, refresh tokens, grants; answers how many sessions. */
    endAll(tx: Tx, userId: string): Promise<number>;
    /** Of sign-ins that are not complete; first in a transaction. */
    forgetSignIns(tx: Tx, userId: string): Promise<void>;
  };
  /** Each change writes its own audit event. */
  roles: {
    /** The first of all roles, to choose from; any other can be named. `complete`: there are no others. */
    offered(): Promise<{ roles: { name: string; description: string }[]; complete: boolean }>;
    /** @throws roles.not_found */
    assignIn(tx: Tx, role: string, userId: string, origin: ChangeBy): Promise<unknown>;
    /**
     * `expires` is ISO 8601, UTC where it names no offset; empty: no end. Giving it again changes the end.
     * @throws roles.not_found on field `role`, invalid_input on field `expires`
     */
    assign(role: string, userId: string, origin: ChangeBy, terms: { expires?: string | undefined }): Promise<unknown>;
    /** Every role with its sources, also what was given directly and is over. */
    heldBy(userId: string): Promise<HeldRoleView[]>;
    /** @throws roles.not_found, roles.last_admin */
    unassign(role: string, userId: string, origin: ChangeBy): Promise<unknown>;
    /** Holds the admin role's row until the transaction ends. @throws roles.last_admin */
    assertNotLastAdmin(tx: Tx, userId: string): Promise<void>;
  };
  /** Those of the person, and those above them. */
  teams: { of(userId: string): Promise<TeamOfView[]> };
  /** Failed tries to sign in; `account` is an e-mail address in any of its spellings. */
  limits: {
    /** Whether the account is held back now; null when it is not. */
    lockOf(account: string): Promise<SignInLock | null>;
    clear(account: string, tx?: Tx): Promise<void>;
  };
  tokens: { activeOfUser(userId: string, limit: number): Promise<UserTokenView[]> };
  consents: { list(userId: string): Promise<UserConsentView[]> };
  events: { about(id: string, limit: number): Promise<UserEventView[]> };
  mail: {
    /** False: mails only land in the data folder, so a link must be handed over by the admin. */
    delivers: boolean;
    send(mail: { to: string; subject: string; text: string }): Promise<void>;
  };
  /** A text in the language of mails. */
  mailText(key: string, params?: Record<string, string | number>): string;
}
