import { renderSVG } from 'uqr';
import type { FieldError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Account, Interaction, Needs } from './needs.ts';

export interface SignInPages {
  password(ctx: Ctx, interaction: Interaction, model: PasswordModel): void;
  ticket(ctx: Ctx, interaction: Interaction, account: Account): void;
  factor(ctx: Ctx, interaction: Interaction, account: Account, errors?: Errors): void;
  recovery(ctx: Ctx, interaction: Interaction, account: Account, errors?: Errors): void;
  enroll(ctx: Ctx, interaction: Interaction, model: EnrollModel, errors?: Errors): void;
  /** With `codes` null they were shown before, and can only be replaced. */
  codes(ctx: Ctx, interaction: Interaction, codes: string[] | null): void;
  throttled(ctx: Ctx, interaction: Interaction, retryAfter: number): void;
}

type Errors = Record<string, FieldError>;

export interface PasswordModel {
  login: string;
  /** Somebody is signed in already and has to prove it again: the login is given. */
  expected: Account | null;
  problem?: 'refused' | 'other_account' | undefined;
  errors?: Errors | undefined;
}

export interface EnrollModel {
  account: Account;
  secret: string;
  uri: string;
  /** A recovery code was used: this factor takes the place of the lost one. */
  replaces: boolean;
}

export function createSignInPages(needs: Pick<Needs, 'views' | 'signOutPath'>): SignInPages {
  function show(ctx: Ctx, view: string, interaction: Interaction, model: object, status = 200): void {
    needs.views.render(
      ctx,
      `sign-in/${view}`,
      {
        title: ctx.state.t(`sign_in.${view.replace('-', '_')}.title`),
        base: `/interaction/${interaction.uid}`,
        application: interaction.client.name,
        ...model,
      },
      { layout: 'plain', status },
    );
  }

  const statusOf = (errors: Errors | undefined): number => (errors === undefined ? 200 : 422);

  return {
    password(ctx, interaction, { login, expected, problem, errors }) {
      const model = { values: { login }, fixed: expected?.email, problem, errors, signOutPath: needs.signOutPath };
      show(ctx, 'password', interaction, model, problem === undefined && errors === undefined ? 200 : 422);
    },
    ticket: (ctx, interaction, { name, email }) => show(ctx, 'ticket', interaction, { name, email }),
    factor: (ctx, interaction, { email }, errors) =>
      show(ctx, 'factor', interaction, { email, errors }, statusOf(errors)),
    recovery: (ctx, interaction, { email }, errors) =>
      show(ctx, 'recovery', interaction, { email, errors }, statusOf(errors)),
    enroll(ctx, interaction, { account, secret, uri, replaces }, errors) {
      const model = {
        email: account.email,
        replaces,
        errors,
        // Drawn here: the seed goes to nobody else, and the page needs no script.
        qr: renderSVG(uri, { ecc: 'M', border: 2 }),
        uri,
        key: secret.replace(/(.{4})(?=.)/g, '$1 '),
      };
      show(ctx, 'enroll', interaction, model, statusOf(errors));
    },
    codes: (ctx, interaction, codes) => show(ctx, 'recovery-codes', interaction, { codes }),
    throttled(ctx, interaction, retryAfter) {
      const seconds = Math.max(1, Math.ceil(retryAfter));
      ctx.set('Retry-After', String(seconds));
      show(ctx, 'throttled', interaction, { wait: waitOf(seconds) }, 429);
    },
  };
}

function waitOf(seconds: number): { key: string; count: number } {
  if (seconds < 90) return { key: 'sign_in.throttled.seconds', count: seconds };
  if (seconds < 5400) return { key: 'sign_in.throttled.minutes', count: Math.ceil(seconds / 60) };
  return { key: 'sign_in.throttled.hours', count: Math.ceil(seconds / 3600) };
}
