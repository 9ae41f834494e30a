import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { AuditEvent } from '../../platform/audit/audit.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Account, Interaction, Needs, SealedFactor } from './needs.ts';
import { type Attempt, finalAmr, type Step, stepOf } from './steps.ts';
import type { AttemptStore, Code, End, Found } from './store.ts';

/** Password and a second factor, both proven within this interaction. */
export const acr = 'urn:postern:aal2';

export interface Finished {
  kind: 'finished';
  account: Account;
}

/** The browser asked for a step that is not its turn, or another window was quicker: show it where it stands. */
export interface Elsewhere {
  kind: 'elsewhere';
}

export interface Reached {
  attempt: Attempt;
  account: Account;
}

export type Position =
  /** `expected`: the person who is signed in already and has to prove it again. */
  | { step: 'password'; expected: Account | null }
  | ({ step: Exclude<Step, 'password'>; factor: SealedFactor | null } & Reached);

/** How far an interaction has come, and the way out of it. */
export interface Progress<I extends Interaction = Interaction> {
  /** The interaction that this browser's cookie belongs to, read together with how far it has come. */
  arrive(ctx: Ctx): Promise<I>;
  uidHash(interaction: Interaction): Buffer;
  position(interaction: Interaction): Promise<Position>;
  /** A new seed for the enrolment page, encrypted. */
  offerSeed(interaction: Interaction): Buffer;
  offeredSeed(interaction: Interaction, attempt: Attempt): string;
  /**
   * Ends the attempt by a code, for one caller only, and writes down the sign-in beside it. Null where the code's time
   * step was used before: then nothing has changed.
   */
  finishByCode(
    interaction: Interaction,
    reached: Reached,
    request: RequestInfo,
    code: Omit<Code, 'event'> & { event: AuditEvent },
  ): Promise<Finished | Elsewhere | null>;
  /** Ends the attempt inside the caller's transaction, which writes down what was proven. */
  finishIn(tx: Tx, interaction: Interaction, reached: Reached, request: RequestInfo): Promise<Finished | Elsewhere>;
  /** Forgets what was proven. */
  cancel(interaction: Interaction, request: RequestInfo): Promise<void>;
}

export function createProgress<I extends Interaction>(needs: Needs<I>, store: AttemptStore): Progress<I> {
  const { clock, audit, credentials, envelope } = needs;
  const uidHash = (interaction: Interaction): Buffer => sha256(interaction.uid);
  const seedAad = (interaction: Interaction): string =>
    `sign_in_attempt|enroll_enc|${uidHash(interaction).toString('hex')}`;

  /** An account that was disabled since the password does not get in: the statement looks at it again. */
  async function ending(interaction: Interaction, { attempt, account }: Reached, request: RequestInfo): Promise<End> {
    const at = clock.now();
    const amr = finalAmr(attempt);
    const signIn = audit.row({
      action: 'user.sign_in',
      outcome: 'success',
      actor: actorOf(account),
      target: targetOf(account),
      clientId: interaction.client.id,
      request,
      data: { amr, acr },
    });
    const login = await needs.interactions.loginRow(interaction, { accountId: account.id, amr, acr, at });
    return { uidHash: uidHash(interaction), userId: account.id, at, signIn, login };
  }

  /** What was read together with an interaction counts once: whoever asks again wants to know what has changed. */
  const read = new WeakMap<Interaction, Found>();

  return {
    async arrive(ctx) {
      const { interaction, beside } = await needs.interactions.currentWith(ctx, store.found.beside);
      read.set(interaction, store.found.of(beside));
      return interaction;
    },

    uidHash,

    async position(interaction) {
      const found = read.get(interaction) ?? (await store.find(uidHash(interaction), interaction.accountId));
      read.delete(interaction);
      const { expected, attempt, account, factor } = found;
      if (attempt === null || attempt.expiresAt <= clock.now()) return { step: 'password', expected };
      if (expected !== null && expected.id !== attempt.userId) return { step: 'password', expected };
      if (account === null || account.status !== 'active') return { step: 'password', expected };
      const step = stepOf(attempt, factor !== null);
      return step === 'password' ? { step, expected } : { step, factor, attempt, account };
    },

    offerSeed: (interaction) => envelope.seal(Buffer.from(credentials.totp.begin().secret), seedAad(interaction)),

    offeredSeed(interaction, attempt) {
      if (attempt.enrollEnc === null) throw new AppError('internal', { status: 500, detail: 'no seed was offered' });
      return envelope.open(attempt.enrollEnc, seedAad(interaction)).toString();
    },

    async finishByCode(interaction, reached, request, code) {
      // Proven first, then signed in: the rows say it in this order.
      const event = audit.row(code.event);
      const end = await ending(interaction, reached, request);
      const { accepted, finished } = await store.finishByCode(end, { ...code, event });
      if (!accepted) return null;
      return finished ? { kind: 'finished', account: reached.account } : { kind: 'elsewhere' };
    },

    async finishIn(tx, interaction, reached, request) {
      const finished = await store.finishIn(tx, await ending(interaction, reached, request));
      return finished ? { kind: 'finished', account: reached.account } : { kind: 'elsewhere' };
    },

    async cancel(interaction, request) {
      const { account } = await store.find(uidHash(interaction), undefined);
      await needs.db.tx(async (tx) => {
        await store.forget(tx, uidHash(interaction));
        await audit.in(tx, {
          action: 'user.sign_in',
          outcome: 'failure',
          reason: 'cancelled',
          ...(account ? { actor: actorOf(account), target: targetOf(account) } : { actor: { type: 'anonymous' } }),
          clientId: interaction.client.id,
          request,
        });
      });
    },
  };
}

export function actorOf(account: Account): { type: 'user'; id: string; name: string } {
  return { type: 'user', id: account.id, name: account.email };
}

export function targetOf(account: Account): { type: string; id: string; name: string } {
  return { type: 'user', id: account.id, name: account.email };
}
