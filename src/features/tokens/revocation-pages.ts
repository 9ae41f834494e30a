import { z } from 'zod';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { ownerNotFound } from './errors.ts';
import type { Revocation, Whose } from './revoke-all.ts';

const name = z.string().max(500, 'too_long').optional();
const query = z.object({ client: name, service_account: name, user: name, audience: name });
const form = z.strictObject(query.shape);

/** Exactly one of them says whose tokens are meant. */
export function whoseOf(given: z.output<typeof query>): Whose | undefined {
  const { client, service_account: serviceAccount, user, audience } = given;
  const named = Object.entries({ client, serviceAccount, user, audience }).filter(([, value]) => value);
  return named.length === 1 ? (Object.fromEntries(named) as unknown as Whose) : undefined;
}

/** The question before all tokens of somebody end, and its answer. */
export function revocationPages(needs: { revocation: Revocation; views: Views; base: string; admin: Guard }): Route[] {
  const { revocation, views, base } = needs;
  const guards = [needs.admin];
  const path = `${base}/revoke-all`;

  return [
    route({ method: 'GET', path, guards, query }, async (ctx, { query: given }) => {
      const whose = whoseOf(given);
      if (!whose) throw ownerNotFound();
      const { owner, active } = await revocation.revocable(whose);
      const title = ctx.state.t(`tokens.revoke_all_${owner.type}_title`, { name: owner.name });
      const field = owner.type === 'api' ? 'audience' : owner.type;
      views.render(ctx, 'tokens/revoke-all', { title, base, path, owner, active, field }, { layout: 'console' });
    }),

    route({ method: 'POST', path, guards, body: form }, async (ctx, { body }) => {
      const whose = whoseOf(body);
      if (!whose) throw ownerNotFound();
      const { owner, tokens } = await revocation.revokeAll(whose, originOf(ctx));
      flash(ctx, 'success', 'tokens.were_revoked', { count: tokens });
      const field = owner.type === 'api' ? 'audience' : owner.type;
      seeOther(ctx, `${base}?${new URLSearchParams({ [field]: owner.id })}`);
    }),
  ];
}
