import { z } from 'zod';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { teamNotFound } from './errors.ts';
import type { Teams } from './module.ts';

export interface TeamPagesNeeds {
  teams: Teams;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
  /** Each change writes its own audit event. */
  roles: {
    /** The first of those that a team can be given: suggestions for the name. */
    suggested(): Promise<{ name: string }[]>;
    /** With their sources, for the page. */
    heldBy(holder: { teamId: string }): Promise<object[]>;
    /** `expires`: ISO 8601; empty: no end. @throws invalid_input on field `expires`, roles.not_found on field `role` */
    assign(role: string, holder: { teamId: string }, origin: ChangeBy, terms: { expires: string }): Promise<unknown>;
    unassign(role: string, holder: { teamId: string }, origin: ChangeBy): Promise<unknown>;
  };
}

const byId = z.strictObject({ id: z.uuid() });
const byMember = z.strictObject({ id: z.uuid(), memberId: z.uuid() });
const byManager = z.strictObject({ id: z.uuid(), userId: z.uuid() });
// A cursor or a search that means nothing is none: an old bookmark still shows the page.
const after = z.string().max(400).optional().catch(undefined);
const listQuery = z.object({ q: z.string().max(200).default('').catch(''), after });
const membersQuery = z.object({ after });
const teamForm = z.strictObject({ name: z.string(), description: z.string(), parent: z.string() });
const named = z.string().min(1, 'required').max(320, 'too_long');
const memberForm = z.strictObject({ member: named });
const managerForm = z.strictObject({ manager: named });
const role = z.string().trim().min(1, 'required').max(60, 'too_long');
const giveForm = z.strictObject({ role, expires: z.string().default('') });
const takeForm = z.strictObject({ role });

const BASE = '/admin/teams';

/** The forms on a team's page that can fail: what was wrong with one is said beside it. */
type FormName = 'members' | 'managers' | 'roles' | 'delete';

/** Pages under /admin/teams. */
export function teamAdminPages({ teams, views, admin, roles }: TeamPagesNeeds): Route[] {
  const { members } = teams;
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `teams/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  async function existing(id: string) {
    const team = await teams.byId(id);
    if (!team) throw teamNotFound();
    return team;
  }

  function newPage(ctx: Ctx, form: Invalid = { values: {}, errors: {} }): void {
    show(ctx, 'new', { title: ctx.state.t('teams.new_title'), ...form });
  }

  async function editPage(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const team = await existing(id);
    const { name, description, parent } = team;
    const values = { name, description, parent: parent?.name ?? '' };
    show(ctx, 'edit', { title: ctx.state.t('teams.edit_title', { name }), team, values, errors: {}, ...form });
  }

  async function showPage(
    ctx: Ctx,
    id: string,
    { cursor, failed }: { cursor?: string | undefined; failed?: Invalid & { form: FormName } } = {},
  ): Promise<void> {
    const team = await existing(id);
    const [page, held, suggested] = await Promise.all([
      members.list(id, cursor),
      roles.heldBy({ teamId: id }),
      roles.suggested(),
    ]);
    const at = (to: string | undefined) => to && `${BASE}/${id}?${new URLSearchParams({ after: to })}#members`;
    const pages = { next: at(page.next), previous: at(page.previous) };
    show(ctx, 'show', { title: team.name, team, members: page.items, held, roles: suggested, ...pages, ...failed });
  }

  /** A form on a team's page; where it can't be followed, the answer is that page. */
  function change<B>(
    form: FormName,
    path: string,
    body: z.ZodType<B>,
    work: (ctx: Ctx, id: string, body: B) => Promise<void>,
  ): Route {
    const invalid = (ctx: Ctx, given: Invalid, { params }: { params: { id: string } }) =>
      showPage(ctx, params.id, { failed: { form, ...given } });
    const spec = { method: 'POST', path: `${BASE}/:id/${path}`, guards, params: byId, body, invalid } as const;
    return route(spec, async (ctx, input) => {
      await work(ctx, input.params.id, input.body);
      seeOther(ctx, path === 'delete' ? BASE : `${BASE}/${input.params.id}`);
    });
  }

  const added = (ctx: Ctx, kind: 'member' | 'manager', isNew: boolean, name: string) =>
    flash(ctx, isNew ? 'success' : 'info', `teams.${kind}_${isNew ? 'added' : 'there'}`, { name: name.trim() });

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const { items, next, previous } = await teams.list({ search: query.q, after: query.after });
      const at = (to: string | undefined) => to && `${BASE}?${new URLSearchParams({ q: query.q, after: to })}`;
      const pages = { next: at(next), previous: at(previous) };
      show(ctx, 'list', { title: ctx.state.t('teams.title'), items, q: query.q.trim(), ...pages });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: teamForm, invalid: newPage }, async (ctx, { body }) => {
      const { id, name } = await teams.create(body, originOf(ctx));
      flash(ctx, 'success', 'teams.created', { name });
      seeOther(ctx, `${BASE}/${id}`);
    }),

    route({ method: 'GET', path: `${BASE}/:id`, guards, params: byId, query: membersQuery }, (ctx, input) =>
      showPage(ctx, input.params.id, { cursor: input.query.after }),
    ),

    route({ method: 'GET', path: `${BASE}/:id/edit`, guards, params: byId }, (ctx, { params }) =>
      editPage(ctx, params.id),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:id/edit`,
        guards,
        params: byId,
        body: teamForm,
        invalid: (ctx, form, { params }) => editPage(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await teams.update(params.id, body, originOf(ctx));
        flash(ctx, 'success', 'teams.saved');
        seeOther(ctx, `${BASE}/${params.id}`);
      },
    ),

    change('members', 'members', memberForm, async (ctx, id, { member }) =>
      added(ctx, 'member', await members.add(id, member, originOf(ctx)), member),
    ),

    route(
      { method: 'POST', path: `${BASE}/:id/members/:memberId/remove`, guards, params: byMember },
      async (ctx, at) => {
        const name = await members.remove(at.params.id, at.params.memberId, originOf(ctx));
        flash(ctx, 'success', 'teams.member_removed', { name });
        seeOther(ctx, `${BASE}/${at.params.id}`);
      },
    ),

    change('managers', 'managers', managerForm, async (ctx, id, { manager }) =>
      added(ctx, 'manager', await members.addManager(id, manager, originOf(ctx)), manager),
    ),

    route(
      { method: 'POST', path: `${BASE}/:id/managers/:userId/remove`, guards, params: byManager },
      async (ctx, at) => {
        const name = await members.removeManager(at.params.id, at.params.userId, originOf(ctx));
        flash(ctx, 'success', 'teams.manager_removed', { name });
        seeOther(ctx, `${BASE}/${at.params.id}`);
      },
    ),

    change('roles', 'roles', giveForm, async (ctx, id, { role: name, expires }) => {
      await roles.assign(name, { teamId: id }, originOf(ctx), { expires });
      flash(ctx, 'success', 'teams.role_given', { role: name });
    }),

    change('roles', 'roles/remove', takeForm, async (ctx, id, { role: name }) => {
      await roles.unassign(name, { teamId: id }, originOf(ctx));
      flash(ctx, 'success', 'teams.role_taken', { role: name });
    }),

    change('delete', 'delete', z.strictObject({}), async (ctx, id) => {
      const { name } = await teams.remove(id, originOf(ctx));
      flash(ctx, 'success', 'teams.was_deleted', { name });
    }),
  ];
}
