import { z } from 'zod';
import { flash } from '../../platform/web/flash.ts';
import { personOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Route, route } from '../../platform/web/route.ts';
import type { Approval, Needs } from './needs.ts';
import { type ApprovalService, gone } from './service.ts';

const BASE = '/account/approvals';
const params = z.strictObject({ id: z.uuid() });
const body = z.strictObject({});
/** Scopes with words of their own in the locale files. */
const described = new Set(['openid', 'profile', 'email', 'roles', 'groups', 'offline_access']);

/** /account/approvals: each page needs a fresh second factor, since what is allowed here happens somewhere else. */
export function approvalRoutes<P extends { approval: Approval }>(needs: Needs<P>, service: ApprovalService): Route[] {
  const { views, approvals } = needs;
  const guards = [needs.guards.person, needs.guards.fresh];

  return [
    route({ method: 'GET', path: BASE, guards }, async (ctx) => {
      const open = await approvals.list(personOf(ctx).id);
      views.render(ctx, 'approvals/list', { title: ctx.state.t('approvals.title'), open }, { layout: 'console' });
    }),

    route({ method: 'GET', path: `${BASE}/:id`, guards, params }, async (ctx, input) => {
      const approval = await approvals.find(personOf(ctx).id, input.params.id);
      if (!approval) throw gone();
      const model = {
        title: ctx.state.t('approvals.heading', { application: approval.client.name }),
        approval,
        base: `${BASE}/${approval.id}`,
        scopes: approval.scopes.map((name) => ({
          name,
          key: described.has(name) ? `consent.scope.${name}` : undefined,
        })),
      };
      views.render(ctx, 'approvals/show', model, { layout: 'console' });
    }),

    route({ method: 'POST', path: `${BASE}/:id/allow`, guards, params, body }, async (ctx, input) => {
      const { client } = await service.allow(personOf(ctx), input.params.id, ctx.state.request);
      flash(ctx, 'success', 'approvals.allowed', { application: client.name });
      seeOther(ctx, BASE);
    }),

    route({ method: 'POST', path: `${BASE}/:id/deny`, guards, params, body }, async (ctx, input) => {
      const { client } = await service.deny(personOf(ctx), input.params.id, ctx.state.request);
      flash(ctx, 'success', 'approvals.denied', { application: client.name });
      seeOther(ctx, BASE);
    }),
  ];
}
