import { z } from 'zod';
import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { nameList } from '../../platform/web/name-list.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { ADMIN_ROLE } from './assignments.ts';
import { roleNotFound } from './errors.ts';
import type { Roles } from './roles.ts';
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
const includes = nameList;
const newForm = z.strictObject({ name: z.string(), description: z.string(), permissions, includes });
const editForm = z.strictObject({ description: z.string(), permissions, includes });
// A cursor or a search that means nothing is none: an old bookmark still shows the page.
const after = z.string().max(400).optional().catch(undefined);
const listQuery = z.object({ q: z.string().max(200).default('').catch(''), after });
const holdersQuery = z.object({ after });
const holderForm = z.strictObject({
  holder: z.string().min(1, 'required').max(320, 'too_long'),
  expires: z.string().default(''),
});
const heldForm = z.union([
  z.strictObject({ userId: z.uuid() }),
  z.strictObject({ serviceAccountId: z.uuid() }),
  z.strictObject({ teamId: z.uuid() }),
]);

const BASE = '/admin/roles';

/** The forms on a role's page: what was wrong with one is said beside it. */
type FormName = 'give' | 'take' | 'delete';
interface Failed extends Invalid {
  form: FormName;
}

/** Pages under /admin/roles. */
export function roleAdminPages({ roles, apis, views, admin }: RolePagesNeeds): Route[] {
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `access/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  /** What the boxes offer: permissions, and the roles that this one could include. */
  async function choices(name?: string) {
    const [all, others] = await Promise.all([apis.allPermissions(), roles.offered({ builtIn: false, except: name })]);
    return { apis: all, others };
  }

  async function newPage(ctx: Ctx, form: Invalid = { values: {}, errors: {} }): Promise<void> {
    show(ctx, 'role-new', { title: ctx.state.t('roles.new_title'), ...(await choices()), ...form });
  }

  async function showPage(
    ctx: Ctx,
    name: string,
    { after, failed }: { after?: string; failed?: Failed },
  ): Promise<void> {
    const role = await roles.detail(name);
    if (!role) throw roleNotFound();
    const holders = await roles.holdersOf(role.id, after);
    const link = (cursor: string | undefined) =>
      cursor && `${BASE}/${name}?${new URLSearchParams({ after: cursor })}#holders`;
    const pages = { next: link(holders.next), previous: link(holders.previous) };
    const model = { title: role.name, role, holders: holders.items, isAdmin: name === ADMIN_ROLE, ...pages };
    show(ctx, 'role', failed ? { ...model, ...failed } : model);
  }

  /** A role's page as the answer to one of its forms that could not be followed. */
  const failedForm =
    (form: FormName) =>
    (ctx: Ctx, invalid: Invalid, { params }: { params: { name: string } }): Promise<void> =>
      showPage(ctx, params.name, { failed: { form, ...invalid } });

  async function editPage(ctx: Ctx, name: string, form?: Invalid): Promise<void> {
    const role = await roles.byName(name);
    if (!role) throw roleNotFound();
    const title = ctx.state.t('roles.edit_title', { name });
    const { description, permissions, includes } = role;
    const values = { description, permissions, includes };
    show(ctx, 'role-edit', { title, role, ...(await choices(name)), values, errors: {}, ...form });
  }

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const { items, next, previous } = await roles.list({ search: query.q, after: query.after });
      const at = (to: string | undefined) => to && `${BASE}?${new URLSearchParams({ q: query.q, after: to })}`;
      const pages = { next: at(next), previous: at(previous) };
      show(ctx, 'roles', { title: ctx.state.t('roles.title'), items, q: query.q.trim(), ...pages });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: newForm, invalid: newPage }, async (ctx, { body }) => {
      const { name } = await roles.create(body, originOf(ctx));
      flash(ctx, 'success', 'roles.created', { name });
      seeOther(ctx, `${BASE}/${name}`);
    }),

    route({ method: 'GET', path: `${BASE}/:name`, guards, params: byName, query: holdersQuery }, (ctx, input) =>
      showPage(ctx, input.params.name, input.query.after === undefined ? {} : { after: input.query.after }),
    ),

    route({ method: 'GET', path: `${BASE}/:name/edit`, guards, params: byName }, (ctx, { params }) =>
      editPage(ctx, params.name),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:name/edit`,
        guards,
        params: byName,
        body: editForm,
        invalid: (ctx, form, { params }) => editPage(ctx, params.name, form),
      },
      async (ctx, { params, body }) => {
        await roles.update(params.name, body, originOf(ctx));
        flash(ctx, 'success', 'roles.saved');
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
        invalid: failedForm('give'),
      },
      async (ctx, { params, body }) => {
        const assigned = await roles.assignTo(params.name, body.holder, originOf(ctx), { expires: body.expires });
        flash(ctx, assigned === 'held' ? 'info' : 'success', `roles.was_${assigned}`, { holder: body.holder.trim() });
        seeOther(ctx, `${BASE}/${params.name}`);
      },
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:name/holders/remove`,
        guards,
        params: byName,
        body: heldForm,
        invalid: failedForm('take'),
      },
      async (ctx, { params, body }) => {
        await besideForm(roles.unassign(params.name, body, originOf(ctx)));
        flash(ctx, 'success', 'roles.was_taken');
        seeOther(ctx, `${BASE}/${params.name}`);
      },
    ),

    route(
      { method: 'POST', path: `${BASE}/:name/delete`, guards, params: byName, invalid: failedForm('delete') },
      async (ctx, { params }) => {
        await besideForm(roles.remove(params.name, originOf(ctx)));
        flash(ctx, 'success', 'roles.was_deleted', { name: params.name });
        seeOther(ctx, BASE);
      },
    ),
  ];
}

/** What the state of things forbids (409) concerns no single field, and is said beside the form that asked for it. */
async function besideForm(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AppError) || error.status !== 409) throw error;
    const { code, status, params } = error;
    throw new AppError(code, { status, fields: { _form: { code, params } }, cause: error });
  }
}
