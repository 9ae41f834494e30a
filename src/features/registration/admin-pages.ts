import { z } from 'zod';
import { APPLICATION_TYPES, OIDC_SCOPES } from '../../kernel/application.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { tokenNotFound } from './errors.ts';
import type { InitialTokens } from './initial-tokens.ts';
import { AUTH_METHODS } from './policy.ts';

export interface RegistrationPagesNeeds {
  tokens: InitialTokens;
  views: Views;
  /** Lets in admins only. */
  admin: Guard;
  /** The address that applications register at; undefined: registration is switched off. */
  endpoint: string | undefined;
  /** Every API permission that can be given. */
  allPermissions(): Promise<
    { audience: string; apiName: string; permissions: { ref: string; name: string; description: string }[] }[]
  >;
}

const BASE = '/admin/registration';

const byToken = z.strictObject({ tokenId: z.uuid() });
const listQuery = z.object({ after: z.string().max(400).optional() });
const texts = z.array(z.string()).default([]);
const ticked = z.literal('on').optional();
const form = z.strictObject({
  name: z.string(),
  uses: z.string(),
  expires: z.string().default(''),
  applicationTypes: texts,
  authMethods: texts,
  scopes: texts,
  refresh: ticked,
  keysRequired: ticked,
  redirectHosts: z.string(),
  permissions: texts,
});

const blank = {
  uses: '1',
  applicationTypes: APPLICATION_TYPES,
  authMethods: AUTH_METHODS,
  scopes: ['openid', 'profile', 'email'],
  refresh: true,
  permissions: [],
};

/** Pages under /admin/registration: the tokens that let applications register themselves. */
export function registrationAdminPages(needs: RegistrationPagesNeeds): Route[] {
  const { tokens, views, admin, endpoint, allPermissions } = needs;
  const guards = [admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `registration/${view}`, { base: BASE, endpoint, ...model }, { layout: 'console' });
  }

  async function existing(id: string) {
    const token = await tokens.byId(id);
    if (!token) throw tokenNotFound();
    return token;
  }

  async function newPage(ctx: Ctx, given?: Invalid): Promise<void> {
    // A box that is not ticked is not sent: without this the form would fall back to what it showed first.
    const unticked = { applicationTypes: [], authMethods: [], scopes: [], permissions: [] };
    const values = given
      ? {
          ...unticked,
          ...given.values,
          refresh: Boolean(given.values.refresh),
          keysRequired: Boolean(given.values.keysRequired),
        }
      : blank;
    const choices = {
      types: APPLICATION_TYPES,
      methods: AUTH_METHODS,
      scopes: OIDC_SCOPES.filter((scope) => scope !== 'openid'),
      apis: await allPermissions(),
    };
    const title = ctx.state.t('registration.new_title');
    show(ctx, 'new', { title, ...choices, values, errors: given?.errors ?? {} });
  }

  return [
    route({ method: 'GET', path: BASE, guards, query: listQuery }, async (ctx, { query }) => {
      const { items, next, previous } = await tokens.list({ after: query.after });
      const at = (after: string | undefined) => after && `${BASE}?${new URLSearchParams({ after })}`;
      const rows = items.map((token) => ({ ...token, state: tokens.stateOf(token) }));
      const title = ctx.state.t('registration.title');
      show(ctx, 'list', { title, items: rows, next: at(next), previous: at(previous) });
    }),

    route({ method: 'GET', path: `${BASE}/new`, guards }, (ctx) => newPage(ctx)),

    route({ method: 'POST', path: `${BASE}/new`, guards, body: form, invalid: newPage }, async (ctx, { body }) => {
      const { name, uses, expires } = body;
      const made = await tokens.create({ name, uses, expires, policy: policyOf(body) }, originOf(ctx));
      // Answers the POST itself: a token stands in no address and in no second request.
      show(ctx, 'secret', { title: ctx.state.t('registration.made_title'), made });
    }),

    route({ method: 'GET', path: `${BASE}/:tokenId`, guards, params: byToken }, async (ctx, { params }) => {
      const token = await existing(params.tokenId);
      const applications = await tokens.applicationsOf(token.id);
      show(ctx, 'show', { title: token.name, token, state: tokens.stateOf(token), applications });
    }),

    route({ method: 'POST', path: `${BASE}/:tokenId/revoke`, guards, params: byToken }, async (ctx, { params }) => {
      await tokens.revoke(params.tokenId, originOf(ctx));
      flash(ctx, 'success', 'registration.revoked');
      seeOther(ctx, `${BASE}/${params.tokenId}`);
    }),
  ];
}

/** A posted form as the use case takes it; what is not on its lists is refused there. */
function policyOf(body: z.output<typeof form>): Parameters<InitialTokens['create']>[0]['policy'] {
  const { applicationTypes, authMethods, scopes, refresh, keysRequired, redirectHosts, permissions } = body;
  const chosen = { applicationTypes, authMethods, scopes: ['openid', ...scopes] } as Pick<
    Parameters<InitialTokens['create']>[0]['policy'],
    'applicationTypes' | 'authMethods' | 'scopes'
  >;
  return {
    ...chosen,
    grantTypes: refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    keysRequired: keysRequired === 'on',
    redirectHosts: redirectHosts.split(/\r?\n/),
    permissions,
  };
}
