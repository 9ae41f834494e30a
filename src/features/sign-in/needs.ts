import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Counters } from '../../platform/limits/sign-in-limits.ts';
import type { Log } from '../../platform/observe/log.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Views } from '../../platform/web/views.ts';
import type { Devices } from './devices.ts';
import type { TicketCookie } from './ticket.ts';

/** An account as far as signing in needs it. */
export interface Account {
  id: string;
  email: string;
  name: string;
  /** invited | active | disabled */
  status: string;
}

/** What the application at the other end asked for. `accountId` is set when somebody is signed in already. */
export interface Interaction {
  uid: string;
  prompt: 'login' | 'consent';
  reasons: string[];
  client: { id: string; name: string };
  accountId: string | undefined;
  loginHint: string | undefined;
  expiresAt: Date;
  /** The session that asked, kept when the others are ended after a factor was replaced. */
  sessionUid?: string | undefined;
}

export interface Login {
  accountId: string;
  amr: string[];
  acr: string;
  at: Date;
}

export interface LimitSubject {
  kind: 'password' | 'totp' | 'recovery';
  /** The normalised login. */
  account: string;
  address: string;
  /** A device from which this account signed in before; it has a counter of its own. */
  device?: string;
}

export interface StoredPassword {
  userId: string;
  hash: string;
  pepperId: string;
}

/** An authenticator's seed as it is stored. */
export interface SealedFactor {
  id: string;
  secretEnc: Uint8Array<ArrayBuffer>;
}

/** One row of SQL that is read beside the interaction, by the digest of its uid and its session's person; as JSON. */
export interface Beside {
  name: string;
  select(uidHash: string, accountId: string): string;
  /** From $2 on. */
  values: unknown[];
}

export interface Needs<I extends Interaction = Interaction> {
  db: Database;
  clock: Clock;
  audit: Audit;
  envelope: Envelope;
  views: Pick<Views, 'render'>;
  /** `check` reserves the try before anything is verified, and throws `limits.too_many` with retryAfter in seconds. */
  limits: {
    check(subject: LimitSubject): Promise<void>;
    failed(subject: LimitSubject): Promise<void>;
    succeeded(subject: LimitSubject): Promise<void>;
    /** For a statement that has `succeededIn` in it. */
    keys(subject: LimitSubject): Counters;
    /** The try came to no verdict: it does not count. */
    release(subject: LimitSubject): Promise<void>;
    /** The factor was replaced: failures on the old one are no longer held against the person. */
    clear(login: string): Promise<void>;
  };
  /** One form for all spellings of a login. */
  normalizeEmail(login: string): string;
  accounts: {
    byId(id: string): Promise<Account | null>;
  };
  links: {
    peekLink(kind: 'ticket', token: string): Promise<{ userId: string | null } | null>;
    claimLink(tx: Tx, kind: 'ticket', token: string): Promise<{ userId: string | null } | null>;
  };
  credentials: {
    /** Takes the same time for null (nobody has that login, or no password). */
    verifyStored(stored: StoredPassword | null, password: string): Promise<boolean>;
    factorsOf(userId: string, tx?: Tx): Promise<{ totp: object | null; recoveryLeft: number }>;
    totp: {
      /** A new seed in base32. */
      begin(): { secret: string };
      /** The otpauth:// address of a seed, as the QR code carries it. */
      otpauthUri(secret: string, email: string): string;
      /** Puts the seed in the place of any factor of that person; false where the code is not of that seed. */
      confirm(tx: Tx, userId: string, secret: string, code: string): Promise<boolean>;
      /** The time step that the code belongs to, or null. */
      stepOf(factor: SealedFactor, code: string): Promise<bigint | null>;
      /** The UPDATE that one caller's code is accepted by: SQL, with what its values stand in. */
      useStep(id: string, step: string, at: string): string;
    };
    recovery: {
      /** Replaces the person's codes; the only time that they can be read. */
      create(tx: Tx, userId: string): Promise<string[]>;
      use(userId: string, code: string): Promise<boolean>;
    };
  };
  interactions: {
    /** Throws AppError `interaction.expired` when the browser holds no live interaction. */
    current(ctx: Ctx): Promise<I>;
    /** The same, with a row that is read in the same statement. */
    currentWith(ctx: Ctx, beside: Beside): Promise<{ interaction: I; beside: unknown }>;
    /** What `saveLogin` writes. */
    loginRow(interaction: Interaction, login: Login): Promise<object>;
    /** Answers with a redirect back into the authorization request. */
    goOn(ctx: Ctx): Promise<void>;
    abort(ctx: Ctx, interaction: I, error: 'access_denied'): Promise<void>;
  };
  /**
   * What lets the authorization request go on, as a part of the statement that ends the sign-in: it reads a loginRow as
   * JSON from `row`, and runs where `condition` holds.
   */
  saveLogin(row: string, condition: string): string;
  /** After a factor was replaced by way of a recovery code: every other session of that person ends. */
  endSessions(tx: Tx, userId: string, exceptSessionUid: string | undefined): Promise<unknown>;
  mail: { send(mail: { to: string; subject: string; text: string }): Promise<void> };
  /** A text in the language of mails. */
  mailText(key: string, params?: Record<string, string | number>): string;
  log: Pick<Log, 'error'>;
  /** The person cancelled on the consent page. */
  denyConsent(ctx: Ctx, interaction: I): Promise<void>;
  ticket: TicketCookie;
  devices: Devices;
  /** A keyed digest of an unknown login, so that tries on it can be matched and it can't be read. */
  pseudonym(login: string): string;
  count(method: 'password' | 'totp' | 'recovery', result: 'success' | 'failure' | 'throttled'): void;
  /** Where a person who is signed in as somebody else can sign out. */
  signOutPath: string;
}
