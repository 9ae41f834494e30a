import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Account, Interaction, Needs } from './needs.ts';
import { actorOf, type Progress, targetOf } from './progress.ts';
import type { AttemptStore, Person } from './store.ts';
import type { Origin, Throttled, Tries, Try } from './tries.ts';

/** Seconds from the proven password to the end of the sign-in. */
const attemptSeconds = 900;

export interface PasswordStep<I extends Interaction> {
  /** The interaction that a password is posted in, and whose login it is said to be. */
  arrive(ctx: Ctx, login: string): Promise<{ interaction: I; account: Person | null }>;
  prove(
    interaction: I,
    account: Person | null,
    input: { login: string; password: string },
    origin: Origin,
  ): Promise<
    | { kind: 'proven'; step: 'factor' | 'enroll' }
    | { kind: 'refused' }
    | Throttled
    | { kind: 'other_account'; expected: Account }
  >;
  /** Whose ticket this is, without using it up; null where it can't be used here. */
  ticketHolder(interaction: Interaction, token: string): Promise<Account | null>;
  redeemTicket(interaction: Interaction, token: string, request: RequestInfo): Promise<boolean>;
}

/** The first step: the password, or a ticket for one that was proven a moment ago. */
export function createPasswordStep<I extends Interaction>(
  needs: Needs<I>,
  store: AttemptStore,
  progress: Progress<I>,
  tries: Tries,
): PasswordStep<I> {
  const { db, clock, audit, accounts, links, credentials, interactions, normalizeEmail } = needs;

  function startOf(interaction: Interaction, account: Account, enrollEnc: Buffer | null) {
    const passwordAt = clock.now();
    const latest = new Date(passwordAt.getTime() + attemptSeconds * 1000);
    const expiresAt = interaction.expiresAt < latest ? interaction.expiresAt : latest;
    return { userId: account.id, passwordAt, enrollEnc, expiresAt };
  }

  async function holder(interaction: Interaction, userId: string | null | undefined): Promise<Account | null> {
    const account = userId ? await accounts.byId(userId) : null;
    if (account?.status !== 'active') return null;
    return interaction.accountId === undefined || interaction.accountId === account.id ? account : null;
  }

  return {
    async arrive(ctx, typed) {
      const { interaction, beside } = await interactions.currentWith(ctx, store.byLogin.beside(normalizeEmail(typed)));
      return { interaction, account: store.byLogin.of(beside) };
    },

    async prove(interaction, account, { login: typed, password }, origin) {
      const login = normalizeEmail(typed);
      if (interaction.accountId !== undefined) {
        // Compared with what was typed and not with what was found: it says nothing about other accounts.
        const expected = await accounts.byId(interaction.accountId);
        if (expected && normalizeEmail(expected.email) !== login) return { kind: 'other_account', expected };
      }
      const one: Try = { interaction, factor: 'password', login, account, origin };
      // One path for every outcome: the same queries, the same hash, the same page. Only the log knows the reason.
      const stored = account?.password ?? null;
      const verified = await tries.verify(one, () => credentials.verifyStored(stored, password));
      if (verified.kind === 'throttled') return verified;
      const reason = refusal(account, verified.result);
      if (account === null || stored === null || reason !== null) {
        await tries.failed(one, reason ?? 'unknown_user');
        return { kind: 'refused' };
      }
      const enrollEnc = account.hasFactor ? null : progress.offerSeed(interaction);
      const start = startOf(interaction, account, enrollEnc);
      const event = audit.row(tries.success(one));
      if (!(await store.begin(progress.uidHash(interaction), start, stored.setAt, event, tries.counters(one)))) {
        await tries.failed(one, 'password_changed');
        return { kind: 'refused' };
      }
      tries.measure(one);
      return { kind: 'proven', step: enrollEnc === null ? 'factor' : 'enroll' };
    },

    async ticketHolder(interaction, token) {
      return holder(interaction, (await links.peekLink('ticket', token))?.userId);
    },

    async redeemTicket(interaction, token, request) {
      const account = await holder(interaction, (await links.peekLink('ticket', token))?.userId);
      if (account === null) return false;
      const { totp } = await credentials.factorsOf(account.id);
      const enrollEnc = totp === null ? progress.offerSeed(interaction) : null;
      return db.tx(async (tx) => {
        const claimed = await links.claimLink(tx, 'ticket', token);
        if (claimed?.userId !== account.id) return false;
        const event = audit.row({
          action: 'user.factor_used',
          outcome: 'success',
          actor: actorOf(account),
          target: targetOf(account),
          clientId: interaction.client.id,
          request,
          data: { factor: 'password', via: 'ticket' },
        });
        await store.beginIn(tx, progress.uidHash(interaction), startOf(interaction, account, enrollEnc), event);
        return true;
      });
    },
  };
}

function refusal(account: Account | null, right: boolean): string | null {
  if (account === null) return 'unknown_user';
  if (account.status === 'invited') return 'invited';
  if (!right) return 'wrong_password';
  return account.status === 'active' ? null : 'disabled';
}
