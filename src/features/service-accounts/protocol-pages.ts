import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { ServiceAccounts, ServiceAccountView } from './service.ts';

const byId = z.strictObject({ id: z.uuid() });
const ticked = z.literal('on').optional();
const protocolForm = z.strictObject({
  dpopBound: ticked,
  certificateBound: ticked,
  fapi: ticked,
  introspectionAlg: z.enum(SIGNING_ALGORITHMS).optional(),
});

/** The page of the switches that decide what an account's tokens are bound to. */
export function protocolPages(needs: {
  base: string;
  guards: Guard[];
  serviceAccounts: ServiceAccounts;
  existing(id: string): Promise<ServiceAccountView>;
  show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void;
}): Route[] {
  const { base, guards, serviceAccounts, existing, show } = needs;

  async function page(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const { settings, switches } = account.protocol;
    const title = ctx.state.t('service_accounts.protocol_title');
    const { values = settings, errors = {} } = form ?? {};
    show(ctx, 'protocol', { title, account, switches, algorithms: SIGNING_ALGORITHMS, values, errors });
  }

  return [
    route({ method: 'GET', path: `${base}/:id/protocol`, guards, params: byId }, (ctx, { params }) =>
      page(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${base}/:id/protocol`,
        guards,
        params: byId,
        body: protocolForm,
        invalid: (ctx, form, { params }) => page(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        const { switches } = (await existing(params.id)).protocol;
        // An unticked box is not sent. One that was not shown, and so could not be ticked, stays as it was.
        const { introspectionAlg, ...boxes } = body;
        const given = Object.entries(boxes).map(([name, value]) => [name, value === 'on' ? true : undefined]);
        const change = Object.fromEntries(switches.map((name) => [name, Object(boxes)[name] === 'on']));
        const all = { ...Object.fromEntries(given), ...change, ...(introspectionAlg && { introspectionAlg }) };
        await serviceAccounts.setProtocol(params.id, all, originOf(ctx));
        flash(ctx, 'success', 'service_accounts.protocol_saved');
        seeOther(ctx, `${base}/${params.id}`);
      },
    ),
  ];
}
