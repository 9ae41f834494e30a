import type Koa from 'koa';
import { AppError } from '../../kernel/errors.ts';
import { holdBody } from '../../platform/web/held-body.ts';

/** Of the form. The address that it becomes has to pass as a request line, ours and that of proxies. */
const LONGEST = 6 * 1024;

/**
 * OpenID Connect Core section 3.1.2.1: an authorization request may come as a form. A form of another site brings no
 * SameSite=Lax cookie along, so the browser is sent to the same request as an address, with which it does.
 */
export function createPostedAuthorization(path: string): Koa.Middleware {
  return async (ctx, next) => {
    if (ctx.method !== 'POST' || ctx.path !== path) return next();
    if (!ctx.is('application/x-www-form-urlencoded')) throw new AppError('unsupported_media_type', { status: 415 });
    const body = await holdBody(ctx);
    if (body === 'too_large' || body.length > LONGEST || ctx.querystring !== '') {
      throw new AppError('malformed_input', { status: 400, detail: 'push long requests (RFC 9126)' });
    }
    const params = new URLSearchParams(body.toString('utf8'));
    ctx.set('Cache-Control', 'no-store');
    ctx.status = 303;
    ctx.redirect(`${path}?${params}`);
  };
}
