import type { Clock } from '../../kernel/clock.ts';
import type { FieldError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import type { Guard } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';

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

export interface ConsentView {
  clientId: string;
  clientName: string;
  /** OpenID Connect scopes, and API permissions as `<audience>#<permission>`. */
  scopes: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface LimitSubject {
  kind: 'password';
  account: string;
  address: string;
}

export interface MyAccountNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  log: Log;
  views: Views;
  /** `person` signs in; `fresh`, after it, asks for a second factor that is older than five minutes again. */
  guards: { person: Guard; fresh: Guard };
  accounts: {
    byId(id: string): Promise<{ createdAt: Date; lastSignInAt: Date | null } | null>;
    /** Tickets are proven passwords on their way into a sign-in; a changed credential takes them along. */
    cancelLinks(tx: Tx, kind: 'ticket', userId: string): Promise<unknown>;
  };
  credentials: {
    checkPasswordPolicy(password: string, about: { email: string; name: string }): FieldError | null;
    hashPassword(password: string): Promise<string>;
    verifyPassword(userId: string, password: string): Promise<boolean>;
    setPassword(tx: Tx, userId: string, hash: string): Promise<void>;
    factorsOf(
      userId: string,
    ): Promise<{ totp: { createdAt: Date; lastUsedAt: Date | null } | null; recoveryLeft: number }>;
    totp: {
      begin(): { secret: string };
      otpauthUri(secret: string, email: string): string;
      confirm(tx: Tx, userId: string, secret: string, code: string): Promise<boolean>;
    };
    recovery: { create(tx: Tx, userId: string): Promise<string[]> };
  };
  /** Of the person, and those above them. */
  teams: { of(userId: string): Promise<{ name: string }[]> };
  envelope: { seal(plain: Buffer, aad: string): Buffer; open(sealed: Buffer, aad: string): Buffer };
  sessions: {
    listForUser(userId: string): Promise<SessionView[]>;
    end(tx: Tx, uid: string): Promise<boolean>;
    endAll(tx: Tx, userId: string, exceptUid: string): Promise<number>;
    /** Of sign-ins that are not complete; first in a transaction. */
    forgetSignIns(tx: Tx, userId: string): Promise<void>;
    /** What this client holds for this person ends at once, refresh tokens first of all (S20). */
    endForClient(tx: Tx, userId: string, clientId: string): Promise<void>;
  };
  consents: {
    list(userId: string): Promise<ConsentView[]>;
    /** Writes its own audit event. */
    withdraw(
      tx: Tx,
      person: { id: string; name: string },
      client: { id: string; name: string },
      request: RequestInfo,
    ): Promise<boolean>;
  };
  /** As at sign-in: guesses of the current password count there and here together. */
  limits: {
    check(subject: LimitSubject): Promise<void>;
    failed(subject: LimitSubject): Promise<void>;
    succeeded(subject: LimitSubject): Promise<void>;
    release(subject: LimitSubject): Promise<void>;
  };
  mail: { send(mail: { to: string; subject: string; text: string }): Promise<void> };
  /** A text in the language of mails. */
  mailText(key: string, params?: Record<string, string | number>): string;
}
