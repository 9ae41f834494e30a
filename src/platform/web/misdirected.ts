import { AppError } from '../../kernel/errors.ts';
import type { Assets } from './assets.ts';
import type { Ctx } from './context.ts';
import { wantsProblem } from './errors.ts';
import { contentSecurityPolicy } from './headers.ts';
import { issuerFor } from './hosts.ts';
import { problem } from './problem.ts';
import type { Views } from './views.ts';

export interface MisdirectedOptions {
  views: Views;
  assets: Assets;
  issuer: string;
}

/**
 * Answers a request for a host that is not served (421, RFC 9110 section 15.5.20), saying which setting to change.
 * Nothing else is answered under such a name, not even the stylesheet: this page carries its few styles itself.
 */
export function misdirected(ctx: Ctx, { views, assets, issuer }: MisdirectedOptions): void {
  const requested = ctx.get('host');
  const wanted = issuerFor(requested);
  const error = new AppError('wrong_host', {
    status: 421,
    params: { host: wanted === undefined ? '?' : requested, issuer, wanted: wanted ?? 'https://…' },
  });
  if (wantsProblem(ctx)) {
    problem(ctx, error);
    return;
  }
  ctx.set('Content-Security-Policy', contentSecurityPolicy(ctx.state.nonce, `'nonce-${ctx.state.nonce}'`));
  const model = {
    title: ctx.state.t('error.wrong_host.title'),
    host: wanted === undefined ? undefined : requested,
    wanted,
    issuer,
    styles: assets.text('misdirected.css'),
  };
  views.render(ctx, 'misdirected', model, { layout: 'bare', status: 421 });
}
