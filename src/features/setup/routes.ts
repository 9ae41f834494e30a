import { z } from 'zod';
import { personName } from '../../kernel/person-name.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Needs } from './needs.ts';
import type { SetupService, SetupState } from './service.ts';

/** In the address of the form too, so that the token is not a field of the page. */
const query = z.object({ token: z.string().max(128).default('') });

const form = z.strictObject({
  email: z.string().trim().min(1, 'required').max(254, 'too_long').pipe(z.email('invalid_email')),
  name: personName,
  password: z.string().min(1, 'required').max(1024, 'too_long'),
});

export function setupRoutes({ views, ticket, startSignIn }: Needs, service: SetupService): Route[] {
  function formPage(ctx: Ctx, token: string, input?: Invalid): void {
    const model = { title: ctx.state.t('setup.title'), action: `/setup?token=${encodeURIComponent(token)}` };
    views.render(ctx, 'setup/form', { ...model, ...input }, { layout: 'plain' });
  }

  function closedPage(ctx: Ctx, state: Exclude<SetupState, 'open'>): void {
    const model = { title: ctx.state.t(`setup.${state}.title`), state, signInPath: startSignIn('/admin') };
    views.render(ctx, 'setup/closed', model, { layout: 'plain', status: 404 });
  }

  return [
    route({ method: 'GET', path: '/setup', query }, async (ctx, { query: { token } }) => {
      const state = await service.state(token);
      if (state !== 'open') return closedPage(ctx, state);
      formPage(ctx, token);
    }),
    route(
      {
        method: 'POST',
        path: '/setup',
        query,
        body: form,
        invalid: async (ctx, input, parsed) => {
          // What is wrong with the link comes first: nobody mends a form that leads nowhere.
          const state = await service.state(parsed.query.token);
          if (state !== 'open') return closedPage(ctx, state);
          formPage(ctx, parsed.query.token, input);
        },
      },
      async (ctx, { query: { token }, body }) => {
        const result = await service.complete(token, body, ctx.state.request);
        if (typeof result === 'string') return closedPage(ctx, result);
        ticket.issue(ctx, result.ticket);
        seeOther(ctx, startSignIn('/admin'));
      },
    ),
  ];
}
