import { z } from 'zod';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';

/** Roles and teams of service accounts. Each change writes its own audit event. */
export interface HeldRoles {
  /** The first of those that a service account can be given: suggestions for the name. */
  suggested(): Promise<{ name: string }[]>;
  /** With their sources, for the page. */
  heldBy(holder: { serviceAccountId: string }): Promise<object[]>;
  /** Its teams and those above them. */
  teamsOf(member: { serviceAccountId: string }): Promise<{ id: string; name: string }[]>;
  /** `expires`: ISO 8601; empty: no end. @throws invalid_input on field `expires`, roles.not_found on field `role` */
  assign(
    role: string,
    holder: { serviceAccountId: string },
    origin: ChangeBy,
    terms: { expires: string },
  ): Promise<unknown>;
  unassign(role: string, holder: { serviceAccountId: string }, origin: ChangeBy): Promise<unknown>;
}

const byId = z.strictObject({ id: z.uuid() });
const role = z.string().trim().min(1, 'required').max(60, 'too_long');
const giveForm = z.strictObject({ role, expires: z.string().default('') });
const takeForm = z.strictObject({ role });

/** The part of a service account's page that gives and takes roles. */
export function heldRolePages({ base, guards, roles }: { base: string; guards: Guard[]; roles: HeldRoles }) {
  return {
    async model(id: string) {
      const holder = { serviceAccountId: id };
      const [held, suggested, teams] = await Promise.all([
        roles.heldBy(holder),
        roles.suggested(),
        roles.teamsOf(holder),
      ]);
      return { held, roles: suggested, teams };
    },

    /** `show` renders the account's page as the answer to a form that can't be followed. */
    pages(show: (ctx: Ctx, id: string, failed: Invalid & { form: string }) => Promise<void>): Route[] {
      const shared = { method: 'POST', guards, params: byId } as const;
      const invalid = (ctx: Ctx, form: Invalid, { params }: { params: { id: string } }) =>
        show(ctx, params.id, { form: 'roles', ...form });
      return [
        route({ ...shared, path: `${base}/:id/roles`, body: giveForm, invalid }, async (ctx, { params, body }) => {
          const { role: name, expires } = body;
          await roles.assign(name, { serviceAccountId: params.id }, originOf(ctx), { expires });
          flash(ctx, 'success', 'service_accounts.role_given', { role: name });
          seeOther(ctx, `${base}/${params.id}`);
        }),

        route({ ...shared, path: `${base}/:id/roles/remove`, body: takeForm, invalid }, async (ctx, given) => {
          const { role: name } = given.body;
          await roles.unassign(name, { serviceAccountId: given.params.id }, originOf(ctx));
          flash(ctx, 'success', 'service_accounts.role_taken', { role: name });
          seeOther(ctx, `${base}/${given.params.id}`);
        }),
      ];
    },
  };
}
