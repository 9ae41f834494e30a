import { z } from 'zod';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import type { DetailTypes } from './detail-types.ts';
import { apiNotFound } from './errors.ts';
import type { Apis } from './service.ts';

const BASE = '/admin/apis';
const byId = z.strictObject({ id: z.uuid() });
/** A type may be a URI, so it is a parameter and not a part of the path. */
const named = z.strictObject({ type: z.string().min(1).max(200) });
const form = z.strictObject({ type: z.string(), description: z.string(), schema: z.string() });

const EXAMPLE = `{
  "type": "object",
  "properties": {
    "amount": { "type": "number", "minimum": 0, "title": "Amount" },
    "currency": { "type": "string", "enum": ["EUR", "USD"], "title": "Currency" }
  },
  "required": ["amount", "currency"]
}`;

/** Pages for the authorization details that an API understands. */
export function detailTypePages(needs: { apis: Apis; detailTypes: DetailTypes; views: Views; admin: Guard }): Route[] {
  const { apis, detailTypes, views } = needs;
  const guards = [needs.admin];

  async function existing(id: string) {
    const api = await apis.byId(id);
    if (!api) throw apiNotFound();
    return api;
  }

  async function page(ctx: Ctx, id: string, known: string | undefined, given: Invalid): Promise<void> {
    const api = await existing(id);
    const title = ctx.state.t(known === undefined ? 'detail_types.new_title' : 'detail_types.edit_title');
    const model = { title, base: BASE, api, known, example: EXAMPLE, ...given };
    views.render(ctx, 'access/detail-type', model, { layout: 'console' });
  }

  const newPage = (ctx: Ctx, id: string, given: Invalid = { values: { schema: EXAMPLE }, errors: {} }) =>
    page(ctx, id, undefined, given);

  return [
    route({ method: 'GET', path: `${BASE}/:id/detail-types/new`, guards, params: byId }, (ctx, { params }) =>
      newPage(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/detail-types/new`,
        guards,
        params: byId,
        body: form,
        invalid: (ctx, given, { params }) => newPage(ctx, params.id, given),
      },
      async (ctx, { params, body }) => {
        await detailTypes.add(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'detail_types.added', { type: body.type.trim() });
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    route(
      { method: 'GET', path: `${BASE}/:id/detail-types/edit`, guards, params: byId, query: named },
      async (ctx, { params, query }) => {
        const found = await detailTypes.find(params.id, query.type);
        if (!found) throw apiNotFound();
        const schema = JSON.stringify({ type: 'object', ...found.schema }, null, 2);
        await page(ctx, params.id, found.type, { values: { ...found, schema }, errors: {} });
      },
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/detail-types/edit`,
        guards,
        params: byId,
        body: form,
        invalid: (ctx, given, { params }) => page(ctx, params.id, String(given.values.type ?? ''), given),
      },
      async (ctx, { params, body }) => {
        await detailTypes.update(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'detail_types.saved');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:id/detail-types/remove`, guards, params: byId, body: named },
      async (ctx, { params, body }) => {
        await detailTypes.remove(params.id, body.type, originOf(ctx));
        flash(ctx, 'success', 'detail_types.removed');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),
  ];
}
