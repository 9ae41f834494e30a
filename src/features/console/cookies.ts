import type { Ctx } from '../../platform/web/context.ts';

/** __Host- where the issuer is https: Secure, for this host alone, for every path. */
export function consoleCookie(secure: boolean): string {
  return secure ? '__Host-postern_console' : 'postern_console';
}

export function setCookie(ctx: Ctx, secure: boolean, name: string, value: string | null, seconds?: number): void {
  ctx.cookies.set(name, value, {
    httpOnly: true,
    sameSite: 'lax',
    secure,
    path: '/',
    overwrite: true,
    signed: false,
    ...(seconds === undefined ? {} : { maxAge: seconds * 1000 }),
  });
}
