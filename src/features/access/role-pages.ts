import { z } from 'zod';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { roleNotFound } from './errors.ts';
import { ADMIN_ROLE, type Roles } from './roles.ts';
import type { Apis } from './service.ts';

export interface RolePagesNeeds {
  roles: Roles;
  apis: Apis;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
}

const byName = z.strictObject({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,59}$/) });
const permissions = z.array(z.string()).default([]);
const newForm = z.strictObject({ name: z.string(), description: z.string(), permissions });
const permissionsForm = z.strictObject({ permissions });
const holderForm = z.strictObject({ holder: z.string().min(1, 'required').max(320, 'too_long') });
const heldForm = z.union([z.strictObject({ userId: z.uuid() }), z.strictObject({ serviceAccountId: z.uuid() })]);

const BASE = '/admin/roles';
/** More are found on the pages of the people and service accounts themselves. */
const SHOWN_HOLDERS = 100;

/** Pages under /admin/roles. */
export function roleAdminPages({ roles, apis, views, admin }: RolePagesNeeds): Route[] {
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `access/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  async function existing(name: string) {
    const role = await roles.byName(name);
    if (!role) throw roleNotFound();
    return role;
  }

  async function newPage(ctx: Ctx, form: Invalid = { values: {}, errors: {} }): Promise<void> {
    show(ctx, 'role-new', { title: ctx.state.t('roles.new_title'), apis: await apis.allPermissions(), ...form });
  }

  async function showPage(ctx: Ctx, name: string, form: Partial<Invalid> = {}): Promise<void> {
    const role = await existing(name);
    const holders = await roles.holdersOf(role.id, SHOWN_HOLDERS);
    show(ctx, 'role', { title: role.name, role, holders, isAdmin: name === ADMIN_ROLE, ...form });
  }

  async function permissionsPage(ctx: Ctx, name: string, form?: Invalid): Promise<void> {
    const role = await existing(name);
    const title = ctx.state.t('roles.permissions_title', { name });
    const values = { permissions: role.permissions };
    show(ctx, 'role-permissions', { title, role, apis: await apis.allPermissions(), values, errors: {}, ...form });
  }

  return [
    route({ method: 'GET', path: BASE, guards }, async (ctx) => {
      show(ctx, 'roles', { title: ctx.state.t('roles.title'), roles: await roles.list() });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: newForm, invalid: newPage }, async (ctx, { body }) => {
      const { name } = await roles.create(body, originOf(ctx));
      flash(ctx, 'success', 'roles.created', { name });
      seeOther(ctx, `${BASE}/${name}`);
    }),

    route({ method: 'GET', path: `${BASE}/:name`, guards, params: byName }, (ctx, { params }) =>
      showPage(ctx, params.name),
    ),

    route({ method: 'GET', path: `${BASE}/:name/permissions`, guards, params: byName }, (ctx, { params }) =>
      permissionsPage(ctx, params.name),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:name/permissions`,
        guards,
        params: byName,
        body: permissionsForm,
        invalid: (ctx, form, { params }) => permissionsPage(ctx, params.name, form),
      },
      async (ctx, { params, body }) => {
        await roles.setPermissions(params.name, body.permissions, originOf(ctx));
        flash(ctx, 'success', 'roles.permissions_saved');
        seeOther(ctx, `${BASE}/${params.name}`);
      },
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:name/holders`,
        guards,
        params: byName,
        body: holderForm,
        invalid: (ctx, form, { params }) => showPage(ctx, params.name, form),
      },
      async (ctx, { params, body }) => {
        await roles.assignTo(params.name, body.holder, originOf(ctx));
        flash(ctx, 'success', 'roles.was_given', { holder: body.holder.trim() });
        seeOther(ctx, `${BASE}/${params.name}`);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:name/holders/remove`, guards, params: byName, body: heldForm },
      async (ctx, { params, body }) => {
        await roles.unassign(params.name, body, originOf(ctx));
        flash(ctx, 'success', 'roles.was_taken');
        seeOther(ctx, `${BASE}/${params.name}`);
      },
    ),

    route({ method: 'POST', path: `${BASE}/:name/delete`, guards, params: byName }, async (ctx, { params }) => {
      await roles.remove(params.name, originOf(ctx));
      flash(ctx, 'success', 'roles.was_deleted', { name: params.name });
      seeOther(ctx, BASE);
    }),
  ];
}
