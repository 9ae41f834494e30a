import { Readable } from 'node:stream';
import { z } from 'zod';
import { notFound } from '../../kernel/errors.ts';
import { originOf } from '../../platform/web/origin.ts';
import { type Guard, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { ACTIONS } from './actions.ts';
import type { Events } from './module.ts';
import { eventQuery, exportForm, toFilter } from './schema.ts';

export interface AuditPagesNeeds {
  views: Views;
  events: Events;
  /** Lets only admins pass and sets ctx.state.person. */
  admin: Guard;
}

const HOME = '/admin/audit';
const FILTERS = ['action', 'outcome', 'actor', 'target', 'client', 'request', 'from', 'to'] as const;

/** /admin/audit: the list with its filters, one event, and the export. */
export function auditRoutes({ views, events, admin }: AuditPagesNeeds): Route[] {
  const guards = [admin];
  return [
    route({ method: 'GET', path: HOME, guards, query: eventQuery }, async (ctx, { query }) => {
      const page = await events.page(toFilter(query), query.after);
      const given = FILTERS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]] as const]));
      const link = (extra: [string, string][]) =>
        `${HOME}?${new URLSearchParams([...given.map(([n, v]): [string, string] => [n, v]), ...extra])}`;
      const model = {
        title: ctx.state.t('nav.audit'),
        events: page.items,
        query,
        given,
        actions: ACTIONS,
        previous: page.previous === undefined ? undefined : link([['after', page.previous]]),
        next: page.next === undefined ? undefined : link([['after', page.next]]),
      };
      views.render(ctx, 'audit-trail/list', model, { layout: 'console' });
    }),

    // A form, not a link: it leaves an event of its own behind, and a GET changes nothing.
    route({ method: 'POST', path: `${HOME}/export`, guards, body: exportForm }, async (ctx, { body }) => {
      const records = await events.export(toFilter(body), body.format, originOf(ctx));
      ctx.attachment(`audit.${body.format}`);
      ctx.type = body.format === 'csv' ? 'text/csv; charset=utf-8' : 'application/jsonl; charset=utf-8';
      ctx.set('Cache-Control', 'no-store');
      ctx.body = Readable.from(records);
    }),

    route(
      { method: 'GET', path: `${HOME}/:id`, guards, params: z.strictObject({ id: z.uuid() }) },
      async (ctx, { params }) => {
        const event = await events.byId(params.id);
        if (!event) throw notFound();
        const model = { title: ctx.state.t.find(`audit_trail.action.${event.action}`) ?? event.action, event };
        views.render(ctx, 'audit-trail/show', model, { layout: 'console' });
      },
    ),
  ];
}
