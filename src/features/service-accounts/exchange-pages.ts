import { z } from 'zod';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { ServiceAccounts, ServiceAccountView } from './service.ts';

const byId = z.strictObject({ id: z.uuid() });
const exchangeForm = z.strictObject({ exchange: z.array(z.string()).default([]) });

/** Pages of the APIs that a service may call on behalf of its callers. */
export function exchangePages(needs: {
  base: string;
  guards: Guard[];
  serviceAccounts: ServiceAccounts;
  existing(id: string): Promise<ServiceAccountView>;
  show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void;
  allApis(): Promise<{ audience: string; apiName: string }[]>;
}): Route[] {
  const { base, guards, serviceAccounts, existing, show, allApis } = needs;
  const path = `${base}/:id/exchange`;

  async function exchangePage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const title = ctx.state.t('service_accounts.exchange_title', { name: account.name });
    const exchange = (await serviceAccounts.exchangeRules(id)).map(({ audience }) => audience);
    show(ctx, 'exchange', { title, account, apis: await allApis(), values: { exchange }, errors: {}, ...form });
  }

  return [
    route({ method: 'GET', path, guards, params: byId }, (ctx, { params }) => exchangePage(ctx, params.id)),

    route(
      {
        method: 'POST',
        path,
        guards,
        params: byId,
        body: exchangeForm,
        invalid: (ctx, form, { params }) => exchangePage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await serviceAccounts.setExchangeRules(params.id, body.exchange, originOf(ctx));
        flash(ctx, 'success', 'service_accounts.exchange_saved');
        seeOther(ctx, `${base}/${params.id}`);
      },
    ),
  ];
}
