import { z } from 'zod';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { tokenNotFound } from './errors.ts';
import { revocationPages, whoseOf } from './revocation-pages.ts';
import type { Revocation } from './revoke-all.ts';
import { TOKEN_KINDS, TOKEN_STATES, tokenQuery } from './schema.ts';
import type { Tokens } from './service.ts';

export interface TokenPagesNeeds {
  tokens: Tokens & Revocation;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
}

const byJti = z.strictObject({ jti: z.string().regex(/^[\w.~-]{1,200}$/) });

const BASE = '/admin/tokens';

/** Pages under /admin/tokens. */
export function tokenAdminPages({ tokens, views, admin }: TokenPagesNeeds): Route[] {
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `tokens/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  return [
    route({ method: 'GET', path: BASE, guards, query: tokenQuery }, async (ctx, { query }) => {
      const { after, ...filter } = query;
      const { client, user, service_account, kind, state, audience, kid } = filter;
      const page = await tokens.list({
        kind,
        state,
        clientId: client,
        user,
        serviceAccount: service_account,
        audience,
        kid,
        after,
      });
      const chosen = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const at = (cursor: string | undefined) =>
        cursor && `${BASE}?${new URLSearchParams([...chosen, ['after', cursor]])}`;
      show(ctx, 'list', {
        title: ctx.state.t('tokens.title'),
        items: page.items,
        next: at(page.next),
        previous: at(page.previous),
        filter,
        filtered: chosen.length > 0,
        // Where the list is that of one client, person or API, its tokens can be ended together.
        revokeAll: whoseOf(filter) && `${BASE}/revoke-all?${new URLSearchParams(chosen)}`,
        kinds: TOKEN_KINDS,
        states: TOKEN_STATES,
      });
    }),

    // Before the page of one token, whose address has the same form.
    ...revocationPages({ revocation: tokens, views, base: BASE, admin }),

    route({ method: 'GET', path: `${BASE}/:jti`, guards, params: byJti }, async (ctx, { params }) => {
      const token = await tokens.byJti(params.jti);
      if (!token) throw tokenNotFound();
      const lineage = await tokens.lineage(params.jti);
      show(ctx, 'show', { title: ctx.state.t(`tokens.kind_${token.kind}`), token, lineage });
    }),

    route({ method: 'POST', path: `${BASE}/:jti/revoke`, guards, params: byJti }, async (ctx, { params }) => {
      const revoked = await tokens.revoke(params.jti, originOf(ctx));
      flash(ctx, revoked ? 'success' : 'info', revoked ? 'tokens.was_revoked' : 'tokens.had_ended');
      seeOther(ctx, `${BASE}/${params.jti}`);
    }),
  ];
}
