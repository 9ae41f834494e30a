import { randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../kernel/errors.ts';
import { hmac } from '../crypto/digest.ts';
import type { Ctx } from './context.ts';

/** The protection of one request's forms. */
export interface CsrfGuard {
  /** For the hidden field; makes the browser's cookie when there is none. */
  token(): string;
  /** Throws AppError `csrf` (403) unless a page of ours sent the form. */
  check(posted: unknown): void;
}

export interface CsrfOptions {
  key: Buffer;
  /** Whether the issuer is https: the cookie is then called `__Host-…` and Secure. */
  secure: boolean;
}

/**
 * Double submit, bound by HMAC: the cookie holds a random value signed by us, the form field another HMAC of that value.
 * Neither can be made up without the key, and a sibling host can't plant a cookie that bears the `__Host-` prefix.
 */
export function createCsrf({ key, secure }: CsrfOptions): (ctx: Ctx) => CsrfGuard {
  const cookie = secure ? '__Host-postern-csrf' : 'postern-csrf';
  const mac = (purpose: string, seed: string): string => hmac(key, `${purpose}\0${seed}`).toString('base64url');

  function seedOf(ctx: Ctx): string | undefined {
    const [seed, signature] = (ctx.cookies.get(cookie) ?? '').split('.');
    return seed !== undefined && signature !== undefined && same(signature, mac('cookie', seed)) ? seed : undefined;
  }

  return (ctx) => {
    let seed: string | undefined;
    return {
      token() {
        seed ??= seedOf(ctx);
        if (seed === undefined) {
          seed = randomBytes(32).toString('base64url');
          const value = `${seed}.${mac('cookie', seed)}`;
          ctx.cookies.set(cookie, value, { httpOnly: true, sameSite: 'lax', secure, path: '/', overwrite: true });
        }
        return mac('form', seed);
      },
      check(posted) {
        refuseCrossSite(ctx, secure);
        seed ??= seedOf(ctx);
        if (seed === undefined) throw refused('no cookie');
        if (typeof posted !== 'string' || !same(posted, mac('form', seed))) throw refused('token');
      },
    };
  };
}

/** What the browser itself says of the sender; where it says nothing (old browsers), the token alone decides. */
function refuseCrossSite(ctx: Ctx, secure: boolean): void {
  const site = ctx.get('sec-fetch-site');
  if (site !== '' && site !== 'same-origin' && site !== 'none') throw refused(`sec-fetch-site: ${site}`);
  const origin = ctx.get('origin');
  // Not ctx.origin: since Koa 3.3 that is the request's Origin header itself.
  if (origin === '' || origin === `${ctx.protocol}://${ctx.host}`) return;
  // Under Referrer-Policy no-referrer a page's own posts carry "null" (Fetch, "append a request Origin header"). The
  // browser then tells the truth in Sec-Fetch-Site, which it leaves out on plain http only.
  if (origin === 'null' && (site === 'same-origin' || (site === '' && !secure))) return;
  throw refused('origin');
}

function refused(detail: string): AppError {
  return new AppError('csrf', { status: 403, detail });
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
