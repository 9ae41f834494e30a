import { z } from 'zod';
import { parsePermissionRef } from '../../kernel/permission-ref.ts';
import { CERTIFICATE_KINDS } from '../../platform/crypto/certificate-registration.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { certificatePages, withoutPrivateKey } from './certificate-pages.ts';
import { credentialPages, withoutPrivateKeys } from './credential-pages.ts';
import { serviceAccountNotFound } from './errors.ts';
import { exchangePages } from './exchange-pages.ts';
import { type HeldRoles, heldRolePages } from './held-role-pages.ts';
import { protocolPages } from './protocol-pages.ts';
import { AUTH_METHODS, SECRET_OVERLAPS } from './schema.ts';
import type { ServiceAccounts } from './service.ts';

export interface ServiceAccountPagesNeeds {
  serviceAccounts: ServiceAccounts;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
  /** Without a trailing slash; the command that tries a new secret out names it. */
  issuer: string;
  /** Every API permission that can be given. */
  allPermissions(): Promise<
    { audience: string; apiName: string; permissions: { ref: string; name: string; description: string }[] }[]
  >;
  /** Whether client certificates reach Postern, and whether any authority for their names is configured. */
  certificates: { read: boolean; authorities: boolean };
  roles: HeldRoles;
  /** The workloads that are taken for an account, for the view of their own. */
  trustsOf(serviceAccountId: string): Promise<object[]>;
  /** What stands at an address now. @throws AppError */
  readKeys(uri: string): Promise<readonly unknown[]>;
  /** The newest report that ended a secret of this client. */
  lastLeak(clientId: string): Promise<{ eventId: string; at: Date; prefix: string } | null>;
}

const byId = z.strictObject({ id: z.uuid() });
/** The list of those that nobody may need any more. */
const NOT_USED = 'not_90_days';
const UNUSED_DAYS = 90;
const listQuery = z.object({
  q: z.string().max(200).default(''),
  used: z.enum([NOT_USED]).optional().catch(undefined),
  after: z.string().max(400).optional(),
});
const permissions = z.array(z.string()).default([]);
// What a form or a script of before did not have may be left out.
const owned = { owner: z.string().default(''), contact: z.string().default('') };
const newForm = z.strictObject({
  name: z.string(),
  description: z.string(),
  ...owned,
  permissions,
  auth: z.enum(AUTH_METHODS, 'required'),
  jwks: z.string(),
  jwksUri: z.string().default(''),
  certificateKind: z.string().default(''),
  certificate: z.string().default(''),
});
const editForm = z.strictObject({ name: z.string(), description: z.string(), ...owned });
const permissionsForm = z.strictObject({ permissions });

const BASE = '/admin/service-accounts';

/** Pages under /admin/service-accounts. */
export function serviceAccountAdminPages(needs: ServiceAccountPagesNeeds): Route[] {
  const { serviceAccounts, views, admin, issuer, allPermissions, lastLeak, readKeys, certificates, roles, trustsOf } =
    needs;
  const guards = [admin];
  const heldRoles = heldRolePages({ base: BASE, guards, roles });

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `service-accounts/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  async function existing(id: string) {
    const account = await serviceAccounts.byId(id);
    if (!account) throw serviceAccountNotFound();
    return account;
  }

  async function newPage(ctx: Ctx, form: Invalid = { values: { auth: 'secret' }, errors: {} }): Promise<void> {
    const title = ctx.state.t('service_accounts.new_title');
    show(ctx, 'new', {
      title,
      apis: await allPermissions(),
      kinds: CERTIFICATE_KINDS,
      ...withoutPrivateKey(withoutPrivateKeys(form)),
    });
  }

  async function editPage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const { name, description, contact } = account;
    const owner = account.ownerTeam?.name ?? '';
    const title = ctx.state.t('service_accounts.edit_title');
    show(ctx, 'edit', { title, account, values: { name, description, owner, contact }, errors: {}, ...form });
  }

  async function permissionsPage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const account = await existing(id);
    const title = ctx.state.t('service_accounts.permissions_title', { name: account.name });
    const values = { permissions: account.permissions };
    show(ctx, 'permissions', { title, account, apis: await allPermissions(), values, errors: {}, ...form });
  }

  async function showPage(ctx: Ctx, id: string, failed?: Invalid & { form: string }): Promise<void> {
    const account = await existing(id);
    const permissions = account.permissions.flatMap((ref) => parsePermissionRef(ref) ?? []);
    const exchange = await serviceAccounts.exchangeRules(id);
    show(ctx, 'show', {
      title: account.name,
      account,
      permissions,
      ...(await heldRoles.model(id)),
      ...failed,
      exchange,
      trusts: await trustsOf(id),
      overlaps: SECRET_OVERLAPS,
      certificates,
      issuer,
      leak: await lastLeak(account.clientId),
    });
  }

  /** Answers the POST itself: a secret stands in no address and in no second request. */
  async function secretPage(ctx: Ctx, id: string, secret: string, made: boolean): Promise<void> {
    const account = await existing(id);
    const title = ctx.state.t(made ? 'service_accounts.made_title' : 'service_accounts.rotated_title');
    const request = tokenRequest({ issuer, clientId: account.clientId, secret, permissions: account.permissions });
    show(ctx, 'secret', { title, account, secret, made, request });
  }

  const change = (path: string, key: string, work: (id: string, ctx: Ctx) => Promise<unknown>) =>
    route({ method: 'POST', path: `${BASE}/:id/${path}`, guards, params: byId }, async (ctx, { params }) => {
      await work(params.id, ctx);
      flash(ctx, 'success', key);
      seeOther(ctx, path === 'delete' ? BASE : `${BASE}/${params.id}`);
    });

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const { q, used, after } = query;
      const unusedDays = used === NOT_USED ? UNUSED_DAYS : undefined;
      const { items, next, previous } = await serviceAccounts.list({ search: q, unusedDays, after });
      const at = (cursor: string | undefined) =>
        cursor && `${BASE}?${new URLSearchParams({ q, ...(used && { used }), after: cursor })}`;
      const title = ctx.state.t('service_accounts.title');
      const filter = { q: q.trim(), used, notUsed: NOT_USED };
      show(ctx, 'list', { title, items, ...filter, next: at(next), previous: at(previous) });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: newForm, invalid: newPage }, async (ctx, { body }) => {
      const { id, name, secret } = await serviceAccounts.create(body, originOf(ctx));
      if (secret !== undefined) return await secretPage(ctx, id, secret, true);
      const proof = body.auth === 'certificate' ? 'certificate' : 'keys';
      flash(ctx, 'success', `service_accounts.made_with_${proof}`, { name });
      seeOther(ctx, `${BASE}/${id}`);
    }),

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
        await serviceAccounts.update(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'service_accounts.saved');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    route({ method: 'GET', path: `${BASE}/:id/permissions`, guards, params: byId }, (ctx, { params }) =>
      permissionsPage(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/permissions`,
        guards,
        params: byId,
        body: permissionsForm,
        invalid: (ctx, form, { params }) => permissionsPage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await serviceAccounts.setPermissions(params.id, body.permissions, originOf(ctx));
        flash(ctx, 'success', 'service_accounts.permissions_saved');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    ...exchangePages({ base: BASE, guards, serviceAccounts, existing, show, allApis: allPermissions }),

    ...certificatePages({ base: BASE, guards, serviceAccounts, existing, show }),
    ...heldRoles.pages(showPage),
    ...credentialPages({ base: BASE, guards, issuer, serviceAccounts, existing, show, secretPage, readKeys }),

    ...protocolPages({ base: BASE, guards, serviceAccounts, existing, show }),

    change('disable', 'service_accounts.was_disabled', (id, ctx) => serviceAccounts.disable(id, originOf(ctx))),
    change('enable', 'service_accounts.was_enabled', (id, ctx) => serviceAccounts.enable(id, originOf(ctx))),
    change('delete', 'service_accounts.was_deleted', (id, ctx) => serviceAccounts.remove(id, originOf(ctx))),
  ];
}

/** A curl command for a token with all that the account may do on its first API; undefined where it may do nothing. */
function tokenRequest(of: {
  issuer: string;
  clientId: string;
  secret: string;
  permissions: string[];
}): string | undefined {
  const refs = of.permissions.flatMap((text) => parsePermissionRef(text) ?? []);
  const audience = refs[0]?.audience;
  if (audience === undefined) return undefined;
  const scope = refs.filter((ref) => ref.audience === audience).map((ref) => ref.name);
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    `curl -u ${quoted(`${of.clientId}:${of.secret}`)}`,
    '-d grant_type=client_credentials',
    `--data-urlencode ${quoted(`resource=${audience}`)}`,
    `--data-urlencode ${quoted(`scope=${scope.join(' ')}`)}`,
    `${of.issuer}/oauth2/token`,
  ].join(' ');
}
