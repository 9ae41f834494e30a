import { z } from 'zod';
import { personName } from '../../kernel/person-name.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Needs } from './needs.ts';
import type { InvitationService, Invited } from './service.ts';

/** In the address of the form too, so that the token is not a field of the page. */
const query = z.object({ token: z.string().max(128).default('') });

const form = z.strictObject({
  name: personName,
  password: z.string().min(1, 'required').max(1024, 'too_long'),
});

export function invitationRoutes({ views, ticket, startSignIn }: Needs, service: InvitationService): Route[] {
  function formPage(ctx: Ctx, token: string, { email, name }: Invited, input?: Invalid): void {
    const model = {
      title: ctx.state.t('invitation.title'),
      action: `/invite?token=${encodeURIComponent(token)}`,
      email,
      values: { name },
    };
    views.render(ctx, 'invitation/form', { ...model, ...input }, { layout: 'plain' });
  }

  function invalidPage(ctx: Ctx): void {
    const model = { title: ctx.state.t('invitation.invalid.title'), signInPath: startSignIn('/account') };
    views.render(ctx, 'invitation/invalid', model, { layout: 'plain', status: 404 });
  }

  return [
    route({ method: 'GET', path: '/invite', query }, async (ctx, { query: { token } }) => {
      const account = await service.invited(token);
      if (account === null) return invalidPage(ctx);
      formPage(ctx, token, account);
    }),
    route(
      {
        method: 'POST',
        path: '/invite',
        query,
        body: form,
        invalid: async (ctx, input, parsed) => {
          const account = await service.invited(parsed.query.token);
          if (account === null) return invalidPage(ctx);
          formPage(ctx, parsed.query.token, account, input);
        },
      },
      async (ctx, { query: { token }, body }) => {
        const result = await service.accept(token, body, ctx.state.request);
        if (result === null) return invalidPage(ctx);
        ticket.issue(ctx, result.ticket);
        seeOther(ctx, startSignIn('/account'));
      },
    ),
  ];
}
