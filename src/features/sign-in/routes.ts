import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Route, route } from '../../platform/web/route.ts';
import type { EnrollmentStep } from './enrollment.ts';
import type { FactorStep } from './factor.ts';
import type { Interaction, Needs } from './needs.ts';
import type { SignInPages } from './pages.ts';
import type { PasswordStep } from './password.ts';
import type { Finished, Position, Progress } from './progress.ts';
import { codeForm, emptyForm, interactionParams, passwordForm, passwordQuery, recoveryForm } from './schema.ts';
import type { Origin } from './tries.ts';

interface Parts<I extends Interaction> {
  needs: Needs<I>;
  pages: SignInPages;
  progress: Progress<I>;
  password: PasswordStep<I>;
  factor: FactorStep;
  enrollment: EnrollmentStep;
}

export function signInRoutes<I extends Interaction>(parts: Parts<I>): Route[] {
  const { needs, pages, progress, password, factor, enrollment } = parts;
  const { interactions, ticket, devices } = needs;
  const params = interactionParams;

  /** The interaction that this browser's cookie belongs to; throws `interaction.expired` where there is no live one. */
  async function within(ctx: Ctx, uid: string, work: (interaction: I) => Promise<void>): Promise<void> {
    const interaction = await progress.arrive(ctx);
    if (interaction.uid !== uid) throw new AppError('interaction.expired', { status: 410 });
    await work(interaction);
  }

  /** As within, for what belongs to signing in: at another prompt the browser is sent to where it stands. */
  function signingIn(ctx: Ctx, uid: string, work: (interaction: I) => Promise<void>): Promise<void> {
    return within(ctx, uid, (interaction) => (interaction.prompt === 'login' ? work(interaction) : next(ctx, uid)));
  }

  const originOf = (ctx: Ctx): Origin => ({
    request: ctx.state.request,
    deviceOf: (account) => devices.of(ctx, account),
  });

  async function next(ctx: Ctx, uid: string): Promise<void> {
    seeOther(ctx, `/interaction/${uid}`);
  }

  async function finished(ctx: Ctx, { account }: Finished): Promise<void> {
    devices.remember(ctx, needs.normalizeEmail(account.email));
    await interactions.goOn(ctx);
  }

  async function passwordPage(
    ctx: Ctx,
    interaction: I,
    found: Partial<Parameters<SignInPages['password']>[2]> = {},
    known?: Position,
  ): Promise<void> {
    const position = known ?? (await progress.position(interaction));
    const expected = position.step === 'password' ? position.expected : null;
    const login = found.login ?? expected?.email ?? interaction.loginHint ?? '';
    pages.password(ctx, interaction, { ...found, login, expected });
  }

  function enrollPage(
    ctx: Ctx,
    interaction: I,
    position: Extract<Position, { step: 'enroll' | 'factor' | 'codes' }>,
    errors?: Parameters<SignInPages['enroll']>[3],
  ): void {
    const { account, attempt } = position;
    const model = { account, replaces: attempt.amr.includes('recovery'), ...enrollment.offer(interaction, position) };
    pages.enroll(ctx, interaction, model, errors);
  }

  /** Shows the step that the browser stands at; `step` names the page that was asked for. */
  async function stepPage(
    ctx: Ctx,
    uid: string,
    step: Position['step'],
    show: (interaction: I, position: Extract<Position, { step: 'enroll' | 'factor' | 'codes' }>) => void,
  ): Promise<void> {
    await signingIn(ctx, uid, async (interaction) => {
      const position = await progress.position(interaction);
      if (position.step === 'password' || position.step !== step) return next(ctx, uid);
      show(interaction, position);
    });
  }

  const first = route({ method: 'GET', path: '/interaction/:uid', params, query: passwordQuery }, (ctx, input) =>
    within(ctx, input.params.uid, async (interaction) => {
      const base = `/interaction/${interaction.uid}`;
      if (interaction.prompt === 'consent') return seeOther(ctx, `${base}/consent`);
      const position = await progress.position(interaction);
      const { step } = position;
      if (step === 'factor') return seeOther(ctx, `${base}/factor`);
      if (step === 'enroll') return seeOther(ctx, `${base}/enroll`);
      if (step === 'codes') return seeOther(ctx, `${base}/recovery-codes`);
      const token = input.query.other === undefined ? ticket.read(ctx) : undefined;
      const holder = token === undefined ? null : await password.ticketHolder(interaction, token);
      if (holder !== null) return pages.ticket(ctx, interaction, holder);
      await passwordPage(ctx, interaction, {}, position);
    }),
  );

  const postTicket = route(
    { method: 'POST', path: '/interaction/:uid/ticket', params, body: emptyForm },
    (ctx, input) =>
      signingIn(ctx, input.params.uid, async (interaction) => {
        const token = ticket.read(ctx);
        // A ticket that is used up or too old leads to the password page, which asks for what it stood for.
        if (token !== undefined) await password.redeemTicket(interaction, token, ctx.state.request);
        ticket.clear(ctx);
        await next(ctx, interaction.uid);
      }),
  );

  const postPassword = route(
    {
      method: 'POST',
      path: '/interaction/:uid/password',
      params,
      body: passwordForm,
      invalid: (ctx, { values, errors }, parsed) =>
        signingIn(ctx, parsed.params.uid, (interaction) =>
          passwordPage(ctx, interaction, { login: String(values.login ?? ''), errors }),
        ),
    },
    async (ctx, { params: { uid }, body }) => {
      const { interaction, account } = await password.arrive(ctx, body.login);
      if (interaction.prompt !== 'login') return next(ctx, uid);
      const result = await password.prove(interaction, account, body, originOf(ctx));
      if (result.kind === 'proven') return seeOther(ctx, `/interaction/${uid}/${result.step}`);
      if (result.kind === 'throttled') return pages.throttled(ctx, interaction, result.retryAfter);
      if (result.kind === 'other_account') return passwordPage(ctx, interaction, { problem: 'other_account' });
      await passwordPage(ctx, interaction, { login: body.login, problem: 'refused' });
    },
  );

  const getFactor = route({ method: 'GET', path: '/interaction/:uid/factor', params }, (ctx, input) =>
    stepPage(ctx, input.params.uid, 'factor', (interaction, { account }) => pages.factor(ctx, interaction, account)),
  );

  const postFactor = route(
    {
      method: 'POST',
      path: '/interaction/:uid/factor',
      params,
      body: codeForm,
      invalid: (ctx, { errors }, parsed) =>
        stepPage(ctx, parsed.params.uid, 'factor', (interaction, { account }) =>
          pages.factor(ctx, interaction, account, errors),
        ),
    },
    (ctx, { params: { uid }, body }) =>
      signingIn(ctx, uid, async (interaction) => {
        const result = await factor.proveTotp(interaction, body.code, originOf(ctx));
        if (result.kind === 'finished') return finished(ctx, result);
        if (result.kind === 'throttled') return pages.throttled(ctx, interaction, result.retryAfter);
        if (result.kind === 'elsewhere') return next(ctx, uid);
        await stepPage(ctx, uid, 'factor', (_, { account }) =>
          pages.factor(ctx, interaction, account, { code: { code: `sign_in.${result.reason}` } }),
        );
      }),
  );

  const getRecovery = route({ method: 'GET', path: '/interaction/:uid/recovery', params }, (ctx, input) =>
    stepPage(ctx, input.params.uid, 'factor', (interaction, { account }) => pages.recovery(ctx, interaction, account)),
  );

  const postRecovery = route(
    {
      method: 'POST',
      path: '/interaction/:uid/recovery',
      params,
      body: recoveryForm,
      invalid: (ctx, { errors }, parsed) =>
        stepPage(ctx, parsed.params.uid, 'factor', (interaction, { account }) =>
          pages.recovery(ctx, interaction, account, errors),
        ),
    },
    (ctx, { params: { uid }, body }) =>
      signingIn(ctx, uid, async (interaction) => {
        const result = await factor.proveRecovery(interaction, body.code, originOf(ctx));
        if (result.kind === 'throttled') return pages.throttled(ctx, interaction, result.retryAfter);
        if (result.kind !== 'refused') return next(ctx, uid);
        await stepPage(ctx, uid, 'factor', (_, { account }) =>
          pages.recovery(ctx, interaction, account, { code: { code: 'sign_in.wrong_recovery_code' } }),
        );
      }),
  );

  const getEnroll = route({ method: 'GET', path: '/interaction/:uid/enroll', params }, (ctx, input) =>
    stepPage(ctx, input.params.uid, 'enroll', (interaction, position) => enrollPage(ctx, interaction, position)),
  );

  const postEnroll = route(
    {
      method: 'POST',
      path: '/interaction/:uid/enroll',
      params,
      body: codeForm,
      invalid: (ctx, { errors }, parsed) =>
        stepPage(ctx, parsed.params.uid, 'enroll', (interaction, position) =>
          enrollPage(ctx, interaction, position, errors),
        ),
    },
    (ctx, { params: { uid }, body }) =>
      signingIn(ctx, uid, async (interaction) => {
        const result = await enrollment.confirm(interaction, body.code, ctx.state.request);
        if (result.kind === 'elsewhere') return next(ctx, uid);
        // Answered here and not after a redirect: only digests are stored, so this is the one time to show them.
        if (result.kind === 'enrolled') return pages.codes(ctx, interaction, result.codes);
        await stepPage(ctx, uid, 'enroll', (_, position) =>
          enrollPage(ctx, interaction, position, { code: { code: 'sign_in.wrong_code' } }),
        );
      }),
  );

  const getCodes = route({ method: 'GET', path: '/interaction/:uid/recovery-codes', params }, (ctx, input) =>
    stepPage(ctx, input.params.uid, 'codes', (interaction) => pages.codes(ctx, interaction, null)),
  );

  const renewCodes = route(
    { method: 'POST', path: '/interaction/:uid/recovery-codes/renew', params, body: emptyForm },
    (ctx, { params: { uid } }) =>
      signingIn(ctx, uid, async (interaction) => {
        const result = await enrollment.renewCodes(interaction, ctx.state.request);
        if (result.kind === 'elsewhere') return next(ctx, uid);
        pages.codes(ctx, interaction, result.codes);
      }),
  );

  const keepCodes = route(
    { method: 'POST', path: '/interaction/:uid/recovery-codes', params, body: emptyForm },
    (ctx, { params: { uid } }) =>
      signingIn(ctx, uid, async (interaction) => {
        const result = await enrollment.keepCodes(interaction, ctx.state.request);
        if (result.kind === 'elsewhere') return next(ctx, uid);
        await finished(ctx, result);
      }),
  );

  const abort = route(
    { method: 'POST', path: '/interaction/:uid/abort', params, body: emptyForm },
    (ctx, { params: { uid } }) =>
      within(ctx, uid, async (interaction) => {
        if (interaction.prompt === 'consent') return needs.denyConsent(ctx, interaction);
        await progress.cancel(interaction, ctx.state.request);
        await interactions.abort(ctx, interaction, 'access_denied');
      }),
  );

  return [
    first,
    postTicket,
    postPassword,
    getFactor,
    postFactor,
    getRecovery,
    postRecovery,
    getEnroll,
    postEnroll,
    getCodes,
    renewCodes,
    keepCodes,
    abort,
  ];
}
