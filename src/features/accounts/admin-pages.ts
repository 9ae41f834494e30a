import { z } from 'zod';
import { browserName } from '../../kernel/user-agent.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { nameList } from '../../platform/web/name-list.ts';
import { originOf, personOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import type { UserAdminNeeds } from './admin-needs.ts';
import { newUserInput } from './admin-schema.ts';
import type { Invitation, UserAdmin } from './admin-service.ts';

export interface UserPagesNeeds {
  views: Views;
  users: UserAdmin;
  roles: Pick<UserAdminNeeds['roles'], 'offered'>;
  /** Lets only admins pass and sets ctx.state.person. */
  admin: Guard;
}

const STATUSES = ['active', 'invited', 'disabled'] as const;
const HOME = '/admin/users';

// A filter that means nothing is no filter: an old bookmark still shows the list.
const listQuery = z.object({
  q: z.string().max(200).optional().catch(undefined),
  status: z.enum(STATUSES).optional().catch(undefined),
  after: z.string().max(200).optional().catch(undefined),
});
const newForm = newUserInput.extend({ roles: nameList });
const oneUser = z.strictObject({ id: z.uuid() });
const oneSession = z.strictObject({ id: z.uuid(), session: z.string().regex(/^[\w-]{1,128}$/) });
const role = z.string().trim().min(1, 'required').max(60, 'too_long');
const roleName = z.strictObject({ role });
const giveForm = z.strictObject({ role, expires: z.string().default('') });

/** /admin/users: the list, one person, and what an admin may do to an account. */
export function userAdminRoutes({ views, users, roles, admin }: UserPagesNeeds): Route[] {
  const guards = [admin];
  const pathOf = (id: string) => `${HOME}/${id}`;

  async function showNew(ctx: Ctx, form: Invalid = { values: {}, errors: {} }): Promise<void> {
    const model = { title: ctx.state.t('accounts.new.title'), offered: await roles.offered(), ...form };
    views.render(ctx, 'accounts/new', model, { layout: 'console' });
  }

  // Shown as the answer to the post itself: the link is kept nowhere, so no other page could show it.
  function showInvitation(ctx: Ctx, invitation: Invitation): void {
    const model = { title: ctx.state.t('accounts.invited.title'), invitation };
    views.render(ctx, 'accounts/invited', model, { layout: 'console' });
  }

  async function showUser(ctx: Ctx, id: string, form?: Invalid): Promise<void> {
    const [detail, offered] = await Promise.all([users.show(id), roles.offered()]);
    const model = {
      title: detail.user.name || detail.user.email,
      ...detail,
      sessions: detail.sessions.map((session) => ({ ...session, named: browserName(session.userAgent) })),
      roles: offered.roles,
      self: personOf(ctx).id === id,
      currentSession: personOf(ctx).sessionUid,
      ...(form && { form: 'roles', ...form }),
    };
    views.render(ctx, 'accounts/show', model, { layout: 'console' });
  }

  /** A form on a person's page that changes something and comes back to it. */
  function change<B = Record<never, never>>(
    action: string,
    done: string,
    work: (ctx: Ctx, id: string, body: B) => Promise<Record<string, string | number> | undefined>,
    body?: z.ZodType<B>,
  ): Route {
    const path = `${HOME}/:id/${action}`;
    return route(
      { method: 'POST', path, guards, params: oneUser, ...(body && { body }) },
      async (ctx, { params, body }) => {
        flash(ctx, 'success', done, await work(ctx, params.id, body));
        seeOther(ctx, pathOf(params.id));
      },
    );
  }

  return [
    route({ method: 'GET', path: HOME, guards, query: listQuery }, async (ctx, { query }) => {
      const page = await users.list({ search: query.q, status: query.status, after: query.after });
      const link = (after: string) => `${HOME}?${asQuery({ q: query.q, status: query.status, after })}`;
      const model = {
        title: ctx.state.t('nav.users'),
        users: page.items,
        query,
        filtered: Boolean(query.q || query.status),
        statuses: STATUSES,
        previous: page.previous === undefined ? undefined : link(page.previous),
        next: page.next === undefined ? undefined : link(page.next),
      };
      views.render(ctx, 'accounts/list', model, { layout: 'console' });
    }),

    route({ method: 'GET', path: `${HOME}/new`, guards }, (ctx) => showNew(ctx)),

    route(
      { method: 'POST', path: `${HOME}/new`, guards, body: newForm, invalid: (ctx, form) => showNew(ctx, form) },
      async (ctx, { body }) => showInvitation(ctx, await users.invite(body, originOf(ctx))),
    ),

    route({ method: 'GET', path: `${HOME}/:id`, guards, params: oneUser }, (ctx, { params }) =>
      showUser(ctx, params.id),
    ),

    route({ method: 'POST', path: `${HOME}/:id/invite`, guards, params: oneUser }, async (ctx, { params }) =>
      showInvitation(ctx, await users.renewInvite(params.id, originOf(ctx))),
    ),

    change('disable', 'accounts.done.disabled', async (ctx, id) => {
      await users.disable(id, originOf(ctx));
      return undefined;
    }),

    change('enable', 'accounts.done.enabled', async (ctx, id) => {
      await users.enable(id, originOf(ctx));
      return undefined;
    }),

    change('unlock', 'accounts.done.unlocked', async (ctx, id) => {
      await users.unlock(id, originOf(ctx));
      return undefined;
    }),

    change('end-sessions', 'accounts.done.sessions_ended', async (ctx, id) => ({
      count: await users.endSessions(id, originOf(ctx)),
    })),

    change('reset-factors', 'accounts.done.factors_reset', async (ctx, id) => {
      await users.resetFactors(id, originOf(ctx));
      return undefined;
    }),

    route(
      {
        method: 'POST',
        path: `${HOME}/:id/roles`,
        guards,
        params: oneUser,
        body: giveForm,
        invalid: (ctx, form, { params }) => showUser(ctx, params.id, form),
      },
      async (ctx, { params, body }) => {
        await users.assignRole(params.id, body.role, originOf(ctx), body.expires);
        flash(ctx, 'success', 'accounts.done.role_assigned', { role: body.role });
        seeOther(ctx, pathOf(params.id));
      },
    ),

    change(
      'roles/remove',
      'accounts.done.role_removed',
      async (ctx, id, { role }) => {
        await users.unassignRole(id, role, originOf(ctx));
        return { role };
      },
      roleName,
    ),

    route(
      { method: 'POST', path: `${HOME}/:id/sessions/:session/end`, guards, params: oneSession },
      async (ctx, { params }) => {
        await users.endSession(params.id, params.session, originOf(ctx));
        flash(ctx, 'success', 'accounts.done.session_ended');
        seeOther(ctx, pathOf(params.id));
      },
    ),
  ];
}

function asQuery(values: Record<string, string | undefined>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return new URLSearchParams(given).toString();
}
