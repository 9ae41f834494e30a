import { invalidInput } from '../../kernel/check.ts';
import { AppError, notFound } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { AuditEvent } from '../../platform/audit/audit.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { SignedInPerson } from '../../platform/web/context.ts';
import type { MyAccountMail } from './mail.ts';
import type { MyAccountNeeds } from './needs.ts';

/** How long a new authenticator key may stand on its page before it has to be confirmed. */
const ENROLLMENT_SECONDS = 15 * 60;

/** The signed-in person and the request by which they act. */
export interface Self {
  person: SignedInPerson;
  request: RequestInfo;
}

export interface Enrollment {
  /** Base32, as people type it. */
  secret: string;
  /** otpauth:// URI, as the QR code carries it. */
  uri: string;
  /** The same key sealed for this person; the form sends it back. It is worthless to anybody else and soon to all. */
  sealed: string;
}

export type MyAccountService = ReturnType<typeof createMyAccount>;

export function createMyAccount(needs: MyAccountNeeds, mail: MyAccountMail) {
  const { db, audit, clock, accounts, credentials, envelope, sessions, consents, limits } = needs;

  function event(
    { person, request }: Self,
    rest: Pick<AuditEvent, 'action' | 'outcome' | 'reason' | 'data'>,
  ): AuditEvent {
    const who = { id: person.id, name: person.email };
    return { actor: { type: 'user', ...who }, target: { type: 'user', ...who }, request, ...rest };
  }

  /** After a credential changed, only the browser that changed it stays signed in (S79). */
  async function endOthers(tx: Tx, person: SignedInPerson): Promise<number> {
    await accounts.cancelLinks(tx, 'ticket', person.id);
    return sessions.endAll(tx, person.id, person.sessionUid);
  }

  const sealAad = (person: SignedInPerson) => `my_account|enrollment|${person.id}`;

  function openEnrollment(person: SignedInPerson, sealed: string): string {
    let opened: { secret: string; until: number };
    try {
      opened = JSON.parse(envelope.open(Buffer.from(sealed, 'base64url'), sealAad(person)).toString('utf8'));
    } catch (cause) {
      throw new AppError('my_account.enrollment_expired', { status: 410, cause });
    }
    if (opened.until < clock.now().getTime()) throw new AppError('my_account.enrollment_expired', { status: 410 });
    return opened.secret;
  }

  /** Throws unless the password is the person's; every guess counts as one at sign-in does. */
  async function proveCurrentPassword(self: Self, password: string): Promise<void> {
    const { person, request } = self;
    const subject = { kind: 'password' as const, account: person.email, address: request.address };
    try {
      await limits.check(subject);
    } catch (error) {
      if (error instanceof AppError && error.code === 'limits.too_many') {
        await audit.record(event(self, { action: 'user.password_change', outcome: 'denied', reason: 'throttled' }));
      }
      throw error;
    }
    let right: boolean;
    try {
      right = await credentials.verifyPassword(person.id, password);
    } catch (error) {
      await limits.release(subject);
      throw error;
    }
    if (right) {
      await limits.succeeded(subject);
      return;
    }
    await limits.failed(subject);
    await audit.record(event(self, { action: 'user.password_change', outcome: 'failure', reason: 'wrong_password' }));
    throw invalidInput({ current_password: { code: 'my_account.wrong_password' } });
  }

  return {
    async changePassword(self: Self, input: { current: string; next: string }): Promise<void> {
      const { person } = self;
      // Refusals that need no knowledge of the current password come first and cost no try.
      const problem = credentials.checkPasswordPolicy(input.next, person);
      if (problem) throw invalidInput({ password: problem });
      await proveCurrentPassword(self, input.current);
      if (input.next.normalize('NFC') === input.current.normalize('NFC')) {
        throw invalidInput({ password: { code: 'my_account.same_password' } });
      }
      const hash = await credentials.hashPassword(input.next);
      await db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, person.id);
        await credentials.setPassword(tx, person.id, hash);
        const ended = await endOthers(tx, person);
        const data = { ended_sessions: ended };
        await audit.in(tx, event(self, { action: 'user.password_change', outcome: 'success', data }));
      });
      await mail.passwordChanged(person, self.request.address);
    },

    beginEnrollment(person: SignedInPerson): Enrollment {
      const { secret } = credentials.totp.begin();
      const until = clock.now().getTime() + ENROLLMENT_SECONDS * 1000;
      const sealed = envelope
        .seal(Buffer.from(JSON.stringify({ secret, until })), sealAad(person))
        .toString('base64url');
      return { secret, uri: credentials.totp.otpauthUri(secret, person.email), sealed };
    },

    /** The page again after a wrong code, with the same key. @throws my_account.enrollment_expired (410) */
    sameEnrollment(person: SignedInPerson, sealed: string): Enrollment {
      const secret = openEnrollment(person, sealed);
      return { secret, uri: credentials.totp.otpauthUri(secret, person.email), sealed };
    },

    /** @throws invalid_input on field `code`, my_account.enrollment_expired (410) */
    async replaceTotp(self: Self, sealed: string, code: string): Promise<void> {
      const { person } = self;
      const secret = openEnrollment(person, sealed);
      await db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, person.id);
        if (!(await credentials.totp.confirm(tx, person.id, secret, code))) {
          throw invalidInput({ code: { code: 'my_account.wrong_code' } });
        }
        const data = { factor: 'totp', replaced: true, ended_sessions: await endOthers(tx, person) };
        await audit.in(tx, event(self, { action: 'factor.enroll', outcome: 'success', data }));
      });
      await mail.totpReplaced(person, self.request.address);
    },

    /** The old codes stop working; the new ones can be read only now. */
    async replaceCodes(self: Self): Promise<string[]> {
      const { person } = self;
      const codes = await db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, person.id);
        const made = await credentials.recovery.create(tx, person.id);
        const data = { codes: made.length, ended_sessions: await endOthers(tx, person) };
        await audit.in(tx, event(self, { action: 'recovery_codes.create', outcome: 'success', data }));
        return made;
      });
      await mail.codesReplaced(person, self.request.address);
      return codes;
    },

    /** @throws not_found (404), also for the session of somebody else (S83) */
    async endSession(self: Self, uid: string): Promise<void> {
      const { person } = self;
      const open = await sessions.listForUser(person.id);
      if (!open.some((session) => session.uid === uid)) throw notFound();
      await db.tx(async (tx) => {
        if (!(await sessions.end(tx, uid))) return;
        await audit.in(tx, event(self, { action: 'session.end', outcome: 'success', data: { session: uid } }));
      });
    },

    async endOtherSessions(self: Self): Promise<number> {
      return db.tx(async (tx) => {
        await sessions.forgetSignIns(tx, self.person.id);
        const ended = await sessions.endAll(tx, self.person.id, self.person.sessionUid);
        const data = { others: true, ended_sessions: ended };
        await audit.in(tx, event(self, { action: 'user.end_sessions', outcome: 'success', data }));
        return ended;
      });
    },

    /** @throws not_found (404) */
    async withdraw({ person, request }: Self, clientId: string): Promise<string> {
      const consent = (await consents.list(person.id)).find((candidate) => candidate.clientId === clientId);
      if (!consent) throw notFound();
      const client = { id: clientId, name: consent.clientName };
      await db.tx(async (tx) => {
        await consents.withdraw(tx, { id: person.id, name: person.email }, client, request);
        await sessions.endForClient(tx, person.id, clientId);
      });
      return client.name;
    },
  };
}
