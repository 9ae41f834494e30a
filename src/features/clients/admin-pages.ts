import { z } from 'zod';
import { APPLICATION_TYPES, OIDC_SCOPES } from '../../kernel/application.ts';
import { parsePermissionRef } from '../../kernel/permission-ref.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import type { ApplicationProtocol } from './application-protocol.ts';
import { applicationNotFound } from './errors.ts';
import { protocolPages } from './protocol-pages.ts';
import { SECRET_OVERLAPS } from './schema.ts';
import type { Applications } from './service.ts';

export interface ApplicationPagesNeeds {
  applications: Applications & ApplicationProtocol;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
  /** Without a trailing slash: what an application is told to look up. */
  issuer: string;
  /** The newest report that ended a secret of this client. */
  lastLeak(clientId: string): Promise<{ eventId: string; at: Date; prefix: string } | null>;
  registrations: {
    /** How an application registered itself, and what else it told (RFC 7591 section 2); null: an admin registered it. */
    of(clientId: string): Promise<{ initialToken: { id: string; name: string }; told: object } | null>;
    /** Which of these did. */
    among(clientIds: readonly string[]): Promise<ReadonlySet<string>>;
  };
  /** Every API permission that can be asked for. */
  allPermissions(): Promise<
    { audience: string; apiName: string; permissions: { ref: string; name: string; description: string }[] }[]
  >;
}

const byClientId = z.strictObject({ clientId: z.string().regex(/^[\w-]{1,100}$/) });
const bySecret = byClientId.extend({ secretId: z.uuid() });
const listQuery = z.object({ q: z.string().max(200).default(''), after: z.string().max(400).optional() });
const fields = {
  name: z.string(),
  redirectUris: z.string(),
  postLogoutRedirectUris: z.string(),
  scopes: z.array(z.string()).default([]),
  permissions: z.array(z.string()).default([]),
  firstParty: z.literal('on').optional(),
};
const newForm = z.strictObject({ ...fields, type: z.enum(APPLICATION_TYPES, 'clients.type_unknown') });
const editForm = z.strictObject(fields);
const rotateForm = z.strictObject({ overlap: z.coerce.number() });

const BASE = '/admin/applications';

/** Pages under /admin/applications. */
export function applicationAdminPages(needs: ApplicationPagesNeeds): Route[] {
  const { applications, views, admin, issuer, lastLeak, allPermissions, registrations } = needs;
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `clients/${view}`, { base: BASE, issuer, ...model }, { layout: 'console' });
  }

  async function existing(clientId: string) {
    const application = await applications.byClientId(clientId);
    if (!application) throw applicationNotFound();
    return application;
  }

  async function formPage(
    ctx: Ctx,
    view: 'new' | 'edit',
    model: { title: string; [name: string]: unknown },
    { values, errors }: Invalid,
  ): Promise<void> {
    // An unticked box is not sent: without this the form would fall back to what it showed first.
    const ticked = { scopes: [], permissions: [], ...values, firstParty: Boolean(values.firstParty) };
    const choices = { types: APPLICATION_TYPES, scopes: OIDC_SCOPES, apis: await allPermissions() };
    show(ctx, view, { ...model, ...choices, values: ticked, errors });
  }

  const newPage = (ctx: Ctx, form?: Invalid) =>
    formPage(ctx, 'new', { title: ctx.state.t('clients.new_title') }, form ?? { values: blank, errors: {} });

  async function editPage(ctx: Ctx, clientId: string, form?: Invalid): Promise<void> {
    const application = await existing(clientId);
    const { name, redirectUris, postLogoutRedirectUris, scopes, permissions, firstParty } = application;
    const values = { name, redirectUris, postLogoutRedirectUris, scopes, permissions, firstParty };
    const title = ctx.state.t('clients.edit_title');
    await formPage(ctx, 'edit', { title, application }, form ?? { values, errors: {} });
  }

  async function showPage(ctx: Ctx, clientId: string): Promise<void> {
    const application = await existing(clientId);
    const permissions = application.permissions.flatMap((ref) => parsePermissionRef(ref) ?? []);
    const protocol = await applications.protocolOf(clientId);
    show(ctx, 'show', {
      title: application.name,
      application,
      permissions,
      protocol,
      overlaps: SECRET_OVERLAPS,
      leak: await lastLeak(clientId),
      registration: await registrations.of(clientId),
    });
  }

  /** Answers the POST itself: a secret stands in no address and in no second request. */
  async function secretPage(ctx: Ctx, clientId: string, secret: string, made: boolean): Promise<void> {
    const application = await existing(clientId);
    const title = ctx.state.t(made ? 'clients.made_title' : 'clients.rotated_title');
    show(ctx, 'secret', { title, application, secret, made });
  }

  const change = (path: string, key: string, work: (clientId: string, ctx: Ctx) => Promise<unknown>) =>
    route(
      { method: 'POST', path: `${BASE}/:clientId/${path}`, guards, params: byClientId },
      async (ctx, { params }) => {
        await work(params.clientId, ctx);
        flash(ctx, 'success', key);
        seeOther(ctx, path === 'delete' ? BASE : `${BASE}/${params.clientId}`);
      },
    );

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const { items, next, previous } = await applications.list({ search: query.q, after: query.after });
      const at = (after: string | undefined) => after && `${BASE}?${new URLSearchParams({ q: query.q, after })}`;
      const title = ctx.state.t('clients.title');
      const themselves = await registrations.among(items.map(({ clientId }) => clientId));
      show(ctx, 'list', { title, items, themselves, q: query.q.trim(), next: at(next), previous: at(previous) });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: newForm, invalid: newPage }, async (ctx, { body }) => {
      const { clientId, secret } = await applications.create({ ...settings(body), type: body.type }, originOf(ctx));
      if (secret !== undefined) return secretPage(ctx, clientId, secret, true);
      flash(ctx, 'success', 'clients.created', { name: body.name.trim() });
      seeOther(ctx, `${BASE}/${clientId}`);
    }),

    route({ method: 'GET', path: `${BASE}/:clientId`, guards, params: byClientId }, (ctx, { params }) =>
      showPage(ctx, params.clientId),
    ),

    route({ method: 'GET', path: `${BASE}/:clientId/edit`, guards, params: byClientId }, (ctx, { params }) =>
      editPage(ctx, params.clientId),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:clientId/edit`,
        guards,
        params: byClientId,
        body: editForm,
        invalid: (ctx, form, { params }) => editPage(ctx, params.clientId, form),
      },
      async (ctx, { params, body }) => {
        await applications.update(params.clientId, settings(body), originOf(ctx));
        flash(ctx, 'success', 'clients.saved');
        seeOther(ctx, `${BASE}/${params.clientId}`);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:clientId/secrets`, guards, params: byClientId, body: rotateForm },
      async (ctx, { params, body }) => {
        const { secret } = await applications.rotateSecret(params.clientId, body.overlap, originOf(ctx));
        await secretPage(ctx, params.clientId, secret, false);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:clientId/secrets/:secretId/revoke`, guards, params: bySecret },
      async (ctx, { params }) => {
        await applications.revokeSecret(params.clientId, params.secretId, originOf(ctx));
        flash(ctx, 'success', 'clients.secret_revoked');
        seeOther(ctx, `${BASE}/${params.clientId}`);
      },
    ),

    ...protocolPages({ base: BASE, guards, applications, existing, show, secretPage }),

    change('disable', 'clients.was_disabled', (clientId, ctx) => applications.disable(clientId, originOf(ctx))),
    change('enable', 'clients.was_enabled', (clientId, ctx) => applications.enable(clientId, originOf(ctx))),
    change('delete', 'clients.was_deleted', (clientId, ctx) => applications.remove(clientId, originOf(ctx))),
  ];
}

const blank = { type: 'web', scopes: ['openid', 'profile', 'email'] };

/** A posted form as the service takes it. */
function settings(body: z.infer<typeof editForm>) {
  return {
    name: body.name,
    redirectUris: lines(body.redirectUris),
    postLogoutRedirectUris: lines(body.postLogoutRedirectUris),
    scopes: body.scopes,
    permissions: body.permissions,
    firstParty: body.firstParty === 'on',
  };
}

/** Blank lines in between stay, so that an error names the line as a person counts it; the schema drops them. */
function lines(text: string): string[] {
  const all = text.split(/\r?\n/).map((line) => line.trim());
  while (all.at(-1) === '') all.pop();
  return all;
}
