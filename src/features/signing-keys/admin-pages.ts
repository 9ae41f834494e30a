import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';
import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { flash } from '../../platform/web/flash.ts';
import { originOf } from '../../platform/web/origin.ts';
import { seeOther } from '../../platform/web/redirect.ts';
import { type Guard, type Invalid, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import type { KeyView, SigningKeyAdmin } from './module.ts';
import { byKid, leakedForm, rotateForm } from './schema.ts';

const BASE = '/admin/signing-keys';
const algorithmNames: readonly string[] = SIGNING_ALGORITHMS;
const ORDER: KeyView['status'][] = ['active', 'next', 'retiring'];

/** Pages under /admin/signing-keys. */
export function signingKeyAdminPages(needs: { keys: SigningKeyAdmin; views: Views; admin: Guard }): Route[] {
  const { keys, views } = needs;
  const guards = [needs.admin];

  function show(ctx: Ctx, view: string, model: { title: string; [name: string]: unknown }): void {
    views.render(ctx, `signing-keys/${view}`, { base: BASE, ...model }, { layout: 'console' });
  }

  async function listPage(ctx: Ctx): Promise<void> {
    const all = await keys.list();
    const rank = ({ alg, status }: KeyView) => algorithmNames.indexOf(alg) * ORDER.length + ORDER.indexOf(status);
    const published = all.filter(({ status }) => ORDER.includes(status)).sort((a, b) => rank(a) - rank(b));
    const ended = all.filter(({ status }) => !ORDER.includes(status));
    const algorithms = SIGNING_ALGORITHMS.filter((alg) =>
      published.some((key) => key.alg === alg && key.status === 'active'),
    );
    show(ctx, 'list', { title: ctx.state.t('signing_keys.title'), published, ended, algorithms });
  }

  async function leakedPage(ctx: Ctx, kid: string, given?: Invalid): Promise<void> {
    const key = (await keys.list()).find((one) => one.kid === kid);
    if (!key) throw new AppError('signing_keys.not_found', { status: 404 });
    if (!ORDER.includes(key.status)) throw new AppError('signing_keys.ended', { status: 409 });
    const title = ctx.state.t('signing_keys.leaked_title');
    show(ctx, 'leaked', { title, key, active: await keys.countSigned(kid), values: {}, errors: {}, ...given });
  }

  return [
    route({ method: 'GET', path: BASE, guards }, (ctx) => listPage(ctx)),

    route(
      { method: 'POST', path: `${BASE}/rotate`, guards, body: rotateForm, invalid: (ctx) => listPage(ctx) },
      async (ctx, { body }) => {
        try {
          await keys.rotate(originOf(ctx), body.alg);
          flash(ctx, 'success', 'signing_keys.rotated', { alg: body.alg });
        } catch (error) {
          if (!(error instanceof AppError && error.code === 'signing_keys.too_soon')) throw error;
          flash(ctx, 'info', `error.${error.code}`, error.params);
        }
        seeOther(ctx, BASE);
      },
    ),

    route({ method: 'GET', path: `${BASE}/:kid/leaked`, guards, params: byKid }, (ctx, { params }) =>
      leakedPage(ctx, params.kid),
    ),

    route(
      {
        method: 'POST',
        path: `${BASE}/:kid/leaked`,
        guards,
        params: byKid,
        body: leakedForm,
        invalid: (ctx, given, { params }) => leakedPage(ctx, params.kid, given),
      },
      async (ctx, { params, body }) => {
        const { tokens } = await keys.revoke(originOf(ctx), { kid: params.kid, reason: body.reason });
        flash(ctx, 'success', 'signing_keys.revoked', { count: tokens });
        seeOther(ctx, BASE);
      },
    ),
  ];
}
