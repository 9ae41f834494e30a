import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { SignInMail } from './mail.ts';
import type { Account, Interaction, Needs } from './needs.ts';
import { actorOf, type Elsewhere, type Finished, type Progress, type Reached, targetOf } from './progress.ts';
import { stepOf } from './steps.ts';
import type { AttemptStore } from './store.ts';

export interface EnrollmentStep {
  /** What the enrolment page shows: the offered seed, as text and as the address in the QR code. */
  offer(interaction: Interaction, reached: Reached): { secret: string; uri: string };
  confirm(
    interaction: Interaction,
    code: string,
    request: RequestInfo,
  ): Promise<{ kind: 'enrolled'; codes: string[] } | { kind: 'refused' } | Elsewhere>;
  /** For a person who did not get to see the codes: new ones, the old ones are void. */
  renewCodes(interaction: Interaction, request: RequestInfo): Promise<{ kind: 'renewed'; codes: string[] } | Elsewhere>;
  /** The person says that the codes are kept: the sign-in is complete. */
  keepCodes(interaction: Interaction, request: RequestInfo): Promise<Finished | Elsewhere>;
}

/** For a person without a factor, and after a recovery code: a new factor, then recovery codes to keep. */
export function createEnrollmentStep(
  needs: Needs,
  store: AttemptStore,
  progress: Progress,
  mail: SignInMail,
): EnrollmentStep {
  const { db, clock, audit, credentials } = needs;

  /** Takes the row and looks again: between the page and this transaction another window may have gone on. */
  async function stillAt(
    tx: Tx,
    interaction: Interaction,
    step: 'enroll' | 'codes',
    account: Account,
  ): Promise<Reached | null> {
    await store.lockPerson(tx, account.id);
    const attempt = await store.lock(tx, progress.uidHash(interaction));
    if (attempt?.userId !== account.id) return null;
    const { totp } = await credentials.factorsOf(account.id, tx);
    return stepOf(attempt, totp !== null) === step ? { attempt, account } : null;
  }

  async function newCodes(tx: Tx, interaction: Interaction, account: Account, request: RequestInfo): Promise<string[]> {
    const codes = await credentials.recovery.create(tx, account.id);
    await audit.in(tx, {
      action: 'recovery_codes.create',
      outcome: 'success',
      actor: actorOf(account),
      target: targetOf(account),
      clientId: interaction.client.id,
      request,
      data: { count: codes.length },
    });
    return codes;
  }

  return {
    offer(interaction, { attempt, account }) {
      const secret = progress.offeredSeed(interaction, attempt);
      return { secret, uri: credentials.totp.otpauthUri(secret, account.email) };
    },

    async confirm(interaction, code, request) {
      const position = await progress.position(interaction);
      if (position.step !== 'enroll') return { kind: 'elsewhere' };
      const { account } = position;
      const event = {
        action: 'factor.enroll',
        actor: actorOf(account),
        target: targetOf(account),
        clientId: interaction.client.id,
        request,
        data: { factor: 'totp' },
      };
      const result = await db.tx(async (tx) => {
        const now = await stillAt(tx, interaction, 'enroll', account);
        if (now === null) return { kind: 'elsewhere' } as const;
        const secret = progress.offeredSeed(interaction, now.attempt);
        if (!(await credentials.totp.confirm(tx, account.id, secret, code))) return { kind: 'refused' } as const;
        const recovered = now.attempt.amr.includes('recovery');
        await store.enrolled(tx, progress.uidHash(interaction), [...now.attempt.amr, 'otp'], clock.now());
        if (recovered) {
          await store.forgetOthers(tx, progress.uidHash(interaction), account.id);
          await needs.endSessions(tx, account.id, interaction.sessionUid);
        }
        await audit.in(tx, { ...event, outcome: 'success', data: { factor: 'totp', replaced: recovered } });
        return { kind: 'enrolled', recovered, codes: await newCodes(tx, interaction, account, request) } as const;
      });
      if (result.kind === 'enrolled') {
        await needs.limits.clear(needs.normalizeEmail(account.email));
        if (result.recovered) await mail.factorReplaced(account, request.address);
      }
      if (result.kind === 'refused') await audit.record({ ...event, outcome: 'failure', reason: 'wrong_code' });
      return result;
    },

    async renewCodes(interaction, request) {
      const position = await progress.position(interaction);
      if (position.step !== 'codes') return { kind: 'elsewhere' };
      return db.tx(async (tx) => {
        const now = await stillAt(tx, interaction, 'codes', position.account);
        if (now === null) return { kind: 'elsewhere' } as const;
        return { kind: 'renewed', codes: await newCodes(tx, interaction, now.account, request) } as const;
      });
    },

    async keepCodes(interaction, request) {
      const position = await progress.position(interaction);
      if (position.step !== 'codes') return { kind: 'elsewhere' };
      return db.tx((tx) => progress.finishIn(tx, interaction, position, request));
    },
  };
}
