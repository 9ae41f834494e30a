import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';

export interface Csrf {
  /** The token for this browser's forms; makes the cookie when there is none. */
  token(ctx: Ctx): string;
  /** Whether a posted token belongs to this browser's cookie. */
  matches(ctx: Ctx, token: unknown): boolean;
}

export interface CsrfOptions {
  key: Buffer;
  /** Whether the issuer is https: the cookie is then called `__Host-…` and Secure. */
  secure: boolean;
}

export interface CsrfOrigins {
  /** The origins that our own pages have. */
  origins: string[];
  secure: boolean;
}

const made = new WeakMap<object, string>();
const checks = new WeakMap<object, (ctx: Ctx, token: unknown) => void>();

/**
 * Double submit, bound by HMAC: the cookie holds a random value signed by us, the form field a different HMAC of it.
 * Neither can be made up without the key, and a cookie planted by a sibling host can't bear the `__Host-` prefix.
 */
export function createCsrf({ key, secure }: CsrfOptions): Csrf {
  const cookie = secure ? '__Host-postern-csrf' : 'postern-csrf';
  const mac = (purpose: string, seed: string): string =>
    createHmac('sha256', key).update(`${purpose}\0${seed}`).digest('base64url');

  function seedOf(ctx: Ctx): string | undefined {
    const fresh = made.get(ctx.req);
    if (fresh !== undefined) return fresh;
    const [seed, signature] = (ctx.cookies.get(cookie) ?? '').split('.');
    if (seed === undefined || signature === undefined || !same(signature, mac('cookie', seed))) return undefined;
    return seed;
  }

  function token(ctx: Ctx): string {
    let seed = seedOf(ctx);
    if (seed === undefined) {
      seed = randomBytes(32).toString('base64url');
      made.set(ctx.req, seed);
      const value = `${seed}.${mac('cookie', seed)}`;
      ctx.cookies.set(cookie, value, { httpOnly: true, sameSite: 'lax', secure, path: '/', overwrite: true });
    }
    return mac('form', seed);
  }

  function matches(ctx: Ctx, posted: unknown): boolean {
    const seed = seedOf(ctx);
    return seed !== undefined && typeof posted === 'string' && same(posted, mac('form', seed));
  }

  return { token, matches };
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Gives this request its check; the web server calls it once, before the routes. */
export function armCsrf(ctx: Ctx, csrf: Csrf, own: CsrfOrigins): void {
  checks.set(ctx.req, (context, token) => {
    refuseCrossSite(context, own);
    if (!csrf.matches(context, token)) throw new AppError('csrf', { status: 403, detail: 'token' });
  });
}

/** Throws AppError `csrf` (403) unless the form was sent by a page of ours. */
export function checkCsrf(ctx: Ctx, token: unknown): void {
  const check = checks.get(ctx.req);
  if (check === undefined) throw new AppError('csrf', { status: 403, detail: 'no check armed' });
  check(ctx, token);
}

/** What the browser itself says of the sender; where it says nothing (old browsers), the token alone decides. */
function refuseCrossSite(ctx: Ctx, { origins, secure }: CsrfOrigins): void {
  const site = ctx.get('sec-fetch-site');
  if (site !== '' && site !== 'same-origin' && site !== 'none') {
    throw new AppError('csrf', { status: 403, detail: `sec-fetch-site: ${site}` });
  }
  const origin = ctx.get('origin');
  if (origin === '' || origins.includes(origin)) return;
  // Under Referrer-Policy no-referrer a page's own posts carry "null" (Fetch, "append a request Origin header"). The
  // browser then tells the truth in Sec-Fetch-Site, which it leaves out on plain http only.
  if (origin === 'null' && (site === 'same-origin' || (site === '' && !secure))) return;
  throw new AppError('csrf', { status: 403, detail: 'origin' });
}
