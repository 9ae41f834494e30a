import { z } from 'zod';
import { CLAIM_PROFILES, SIGNING_ALGORITHMS, TOKEN_FORMATS } from '../../kernel/access-token.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { detailTypePages } from './detail-type-pages.ts';
import type { DetailTypes } from './detail-types.ts';
import { apiNotFound } from './errors.ts';
import { TOKEN_TTL } from './schema.ts';
import type { Apis } from './service.ts';

export interface ApiPagesNeeds {
  apis: Apis;
  detailTypes: DetailTypes;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
}

const byId = z.strictObject({ id: z.uuid() });
const byPermission = z.strictObject({ id: z.uuid(), permissionId: z.uuid() });
const listQuery = z.object({
  q: z.string().max(200).default(''),
  after: z.string().max(400).optional(),
});
const tokenFormat = z.enum(TOKEN_FORMATS, 'apis.token_format').optional();
const signingAlg = z.enum(SIGNING_ALGORITHMS, 'apis.signing_alg').optional();
const claimProfile = z.enum(CLAIM_PROFILES, 'apis.claim_profile').optional();
const newForm = z.strictObject({
  audience: z.string(),
  name: z.string(),
  lifetime: z.string(),
  permissions: z.string(),
  tokenFormat,
  signingAlg,
  claimProfile,
});
const editForm = z.strictObject({ name: z.string(), lifetime: z.string(), tokenFormat, signingAlg, claimProfile });
const permissionForm = z.strictObject({ name: z.string(), description: z.string() });

const BASE = '/admin/apis';
const CHOICES = { formats: TOKEN_FORMATS, algorithms: SIGNING_ALGORITHMS, profiles: CLAIM_PROFILES };
const INITIAL = {
  lifetime: TOKEN_TTL.default,
  tokenFormat: TOKEN_FORMATS[0],
  signingAlg: SIGNING_ALGORITHMS[0],
  claimProfile: CLAIM_PROFILES[0],
};

/** Pages under /admin/apis. */
export function apiAdminPages({ apis, detailTypes, views, admin }: ApiPagesNeeds): Route[] {
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `access/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  function newPage(ctx: Ctx, form: Invalid = { values: INITIAL, errors: {} }): void {
    show(ctx, 'api-new', { title: ctx.state.t('apis.new_title'), ttl: TOKEN_TTL, ...CHOICES, ...form });
  }

  async function existing(id: string) {
    const api = await apis.byId(id);
    if (!api) throw apiNotFound();
    return api;
  }

  async function showPage(ctx: Ctx, id: string, form: Partial<Invalid> = {}): Promise<void> {
    const api = await existing(id);
    show(ctx, 'api', { title: api.name, api, detailTypes: await detailTypes.list(id), ...form });
  }

  async function editPage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const api = await existing(id);
    const { name, tokenTtl, tokenFormat, signingAlg, claimProfile } = api;
    const values = { name, lifetime: tokenTtl, tokenFormat, signingAlg, claimProfile };
    const title = ctx.state.t('apis.edit_title');
    show(ctx, 'api-edit', { title, api, ttl: TOKEN_TTL, ...CHOICES, values, errors: {}, ...form });
  }

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const page = await apis.list({ search: query.q, after: query.after });
      const at = (after: string | undefined) => after && `${BASE}?${new URLSearchParams({ q: query.q, after })}`;
      const { items } = page;
      const links = { next: at(page.next), previous: at(page.previous) };
      show(ctx, 'apis', { title: ctx.state.t('apis.title'), items, q: query.q.trim(), ...links });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route(
      { method: 'POST', path: `${BASE}/new`, guards, body: newForm, invalid: newPage },
      async (ctx, { body: { name, permissions, ...form } }) => {
        const made = await apis.create(
          { ...form, name: name.trim() || undefined, permissions: permissionLines(permissions) },
          originOf(ctx),
        );
        flash(ctx, 'success', 'apis.created', { audience: made.audience });
        seeOther(ctx, `${BASE}/${made.id}`);
      },
    ),

    route({ method: 'GET', path: `${BASE}/:id`, guards, params: byId }, (ctx, { params }) => showPage(ctx, params.id)),

    route({ method: 'GET', path: `${BASE}/:id/edit`, guards, params: byId }, (ctx, { params }) =>
      editPage(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/edit`,
        guards,
        params: byId,
        body: editForm,
        invalid: (ctx, form, { params }) => editPage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await apis.update(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'apis.saved');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/permissions`,
        guards,
        params: byId,
        body: permissionForm,
        invalid: (ctx, form, { params }) => showPage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await apis.addPermission(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'apis.permission_added', { name: body.name.trim() });
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:id/permissions/:permissionId/remove`, guards, params: byPermission },
      async (ctx, { params }) => {
        await apis.removePermission(params.id, params.permissionId, originOf(ctx));
        flash(ctx, 'success', 'apis.permission_removed');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    ...detailTypePages({ apis, detailTypes, views, admin }),
  ];
}

/** One permission a line: its name, then after white space what it allows. */
function permissionLines(text: string): { name: string; description: string }[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', ...words] = line.split(/\s+/);
      return { name, description: words.join(' ') };
    });
}
