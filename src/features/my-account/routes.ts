import { renderSVG } from 'uqr';
import { z } from 'zod';
import { browserName } from '../../kernel/user-agent.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { personOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { MyAccountNeeds } from './needs.ts';
import type { Enrollment, MyAccountService, Self } from './service.ts';

const HOME = '/account';
const NO_FORM: Invalid = { values: {}, errors: {} };

// Only bounded here: what a password must be like is the policy's to say, beside the field.
const typedPassword = z.string().min(1, 'required').max(4096, 'too_long');
const passwordForm = z.strictObject({ current_password: typedPassword, password: typedPassword });
const totpForm = z.strictObject({
  enrollment: z.string().min(1).max(2000),
  code: z.string().trim().min(1, 'required').max(20, 'my_account.wrong_code'),
});
const sessionParams = z.strictObject({ uid: z.string().regex(/^[\w-]{1,128}$/) });
const consentForm = z.strictObject({ client: z.string().min(1, 'required').max(200) });

/** /account and the pages below it. */
export function myAccountRoutes(needs: MyAccountNeeds, service: MyAccountService): Route[] {
  const { views, guards, accounts, credentials, sessions, consents } = needs;
  const signedIn = [guards.person];
  const fresh = [guards.person, guards.fresh];
  const selfOf = (ctx: Ctx): Self => ({ person: personOf(ctx), request: ctx.state.request });

  function show(ctx: Ctx, view: string, title: string, model: object = {}): void {
    views.render(ctx, `my-account/${view}`, { title: ctx.state.t(title), ...model }, { layout: 'console' });
  }

  const showPassword = (ctx: Ctx, form: Invalid = NO_FORM) => show(ctx, 'password', 'nav.password', form);

  function showTotp(ctx: Ctx, { secret, uri, sealed }: Enrollment, form: Invalid = NO_FORM): void {
    const model = {
      // Drawn here: the key goes to nobody else, and the page needs no script.
      qr: renderSVG(uri, { ecc: 'M', border: 2 }),
      key: secret.replace(/(.{4})(?=.)/g, '$1 '),
      sealed,
      ...form,
    };
    show(ctx, 'totp', 'my_account.totp.title', model);
  }

  return [
    route({ method: 'GET', path: HOME, guards: signedIn }, async (ctx) => {
      const { id } = personOf(ctx);
      const [account, teams, factors, open] = await Promise.all([
        accounts.byId(id),
        needs.teams.of(id),
        credentials.factorsOf(id),
        sessions.listForUser(id),
      ]);
      show(ctx, 'profile', 'nav.profile', { account, teams, factors, sessionCount: open.length });
    }),

    route({ method: 'GET', path: `${HOME}/password`, guards: signedIn }, (ctx) => showPassword(ctx)),
    route(
      { method: 'POST', path: `${HOME}/password`, guards: signedIn, body: passwordForm, invalid: showPassword },
      async (ctx, { body }) => {
        await service.changePassword(selfOf(ctx), { current: body.current_password, next: body.password });
        flash(ctx, 'success', 'my_account.done.password');
        seeOther(ctx, `${HOME}/password`);
      },
    ),

    route({ method: 'GET', path: `${HOME}/factors`, guards: signedIn }, async (ctx) =>
      show(ctx, 'factors', 'nav.factors', { factors: await credentials.factorsOf(personOf(ctx).id) }),
    ),
    route({ method: 'GET', path: `${HOME}/factors/totp`, guards: fresh }, (ctx) =>
      showTotp(ctx, service.beginEnrollment(personOf(ctx))),
    ),
    route(
      {
        method: 'POST',
        path: `${HOME}/factors/totp`,
        guards: fresh,
        body: totpForm,
        invalid: (ctx, form) =>
          showTotp(ctx, service.sameEnrollment(personOf(ctx), String(form.values.enrollment ?? '')), form),
      },
      async (ctx, { body }) => {
        await service.replaceTotp(selfOf(ctx), body.enrollment, body.code);
        flash(ctx, 'success', 'my_account.done.totp');
        seeOther(ctx, `${HOME}/factors`);
      },
    ),
    route({ method: 'GET', path: `${HOME}/factors/recovery-codes`, guards: fresh }, async (ctx) =>
      show(ctx, 'recovery-codes', 'my_account.codes.title', {
        codes: null,
        factors: await credentials.factorsOf(personOf(ctx).id),
      }),
    ),
    // Shown as the answer to the post itself: the codes are kept nowhere in a form that could be read.
    route({ method: 'POST', path: `${HOME}/factors/recovery-codes`, guards: fresh }, async (ctx) =>
      show(ctx, 'recovery-codes', 'my_account.codes.title', { codes: await service.replaceCodes(selfOf(ctx)) }),
    ),

    route({ method: 'GET', path: `${HOME}/sessions`, guards: signedIn }, async (ctx) => {
      const { id, sessionUid } = personOf(ctx);
      const open = await sessions.listForUser(id);
      const named = open.map((session) => ({ ...session, named: browserName(session.userAgent) }));
      show(ctx, 'sessions', 'nav.sessions', { sessions: named, current: sessionUid });
    }),
    route({ method: 'POST', path: `${HOME}/sessions/end-others`, guards: signedIn }, async (ctx) => {
      const count = await service.endOtherSessions(selfOf(ctx));
      flash(ctx, 'success', 'my_account.done.others_ended', { count });
      seeOther(ctx, `${HOME}/sessions`);
    }),
    route(
      { method: 'POST', path: `${HOME}/sessions/:uid/end`, guards: signedIn, params: sessionParams },
      async (ctx, { params }) => {
        await service.endSession(selfOf(ctx), params.uid);
        flash(ctx, 'success', 'my_account.done.session_ended');
        seeOther(ctx, `${HOME}/sessions`);
      },
    ),

    route({ method: 'GET', path: `${HOME}/applications`, guards: signedIn }, async (ctx) =>
      show(ctx, 'applications', 'nav.granted', { consents: await consents.list(personOf(ctx).id) }),
    ),
    route(
      { method: 'POST', path: `${HOME}/applications/withdraw`, guards: signedIn, body: consentForm },
      async (ctx, { body }) => {
        const application = await service.withdraw(selfOf(ctx), body.client);
        flash(ctx, 'success', 'my_account.done.withdrawn', { application });
        seeOther(ctx, `${HOME}/applications`);
      },
    ),
  ];
}
