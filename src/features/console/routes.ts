import { z } from 'zod';
import { AppError } from '../../kernel/errors.ts';
import { returnPath, seeOther } from '../../platform/web/redirect.ts';
import { type Route, route } from '../../platform/web/route.ts';
import { consoleCookie, setCookie } from './cookies.ts';
import { CALLBACK_PATH, CONSOLE_CLIENT_ID, type Needs, SIGN_IN_PATH } from './needs.ts';
import type { SignInFlow } from './sign-in-flow.ts';
import type { ConsoleStore } from './store.ts';

const answer = z.object({
  code: z.string().max(512).optional(),
  state: z.string().max(128).optional(),
  iss: z.string().max(2048).optional(),
  error: z.string().max(128).optional(),
});

const wayBack = z.object({ return_to: z.string().max(2048).optional() });

export function consoleRoutes(needs: Needs, store: ConsoleStore, flow: SignInFlow): Route[] {
  const { clock, config, acr } = needs;
  const cookieName = consoleCookie(config.secure);

  return [
    route({ method: 'GET', path: SIGN_IN_PATH, query: wayBack }, (ctx, { query }) => {
      seeOther(ctx, flow.begin(ctx, returnPath(query.return_to, '/account'), { prompt: 'login' }));
    }),

    route({ method: 'GET', path: CALLBACK_PATH, query: answer }, async (ctx, { query }) => {
      const begun = query.state === undefined ? undefined : flow.take(ctx, query.state);
      if (!begun || query.iss !== config.issuer) throw new AppError('console.sign_in_lost', { status: 400 });
      if (query.error !== undefined || query.code === undefined) {
        throw new AppError('console.sign_in_refused', { status: 403, detail: query.error });
      }
      const claims = await needs.redeem(ctx, {
        code: query.code,
        verifier: begun.verifier,
        redirectUri: flow.redirectUri,
        clientId: CONSOLE_CLIENT_ID,
      });
      const session = await needs.sessionOf(ctx);
      // The code, this browser's session at the provider and the request that was begun must be of one person.
      if (!claims || claims.nonce !== begun.nonce || session?.accountId !== claims.sub || session.acr !== acr) {
        throw new AppError('console.sign_in_lost', { status: 400 });
      }
      const former = ctx.cookies.get(cookieName, { signed: false });
      if (former) await store.close(former);
      const expiresAt = new Date(session.authTime.getTime() + config.sessionAbsoluteSeconds * 1000);
      const cookie = await store.open({ ...session, userId: session.accountId, expiresAt });
      const seconds = Math.max(1, Math.floor((expiresAt.getTime() - clock.now().getTime()) / 1000));
      setCookie(ctx, config.secure, cookieName, cookie, seconds);
      seeOther(ctx, begun.returnTo);
    }),

    route({ method: 'POST', path: '/sign-out' }, async (ctx) => {
      const cookie = ctx.cookies.get(cookieName, { signed: false });
      if (cookie) await store.close(cookie);
      setCookie(ctx, config.secure, cookieName, null);
      // The provider asks whether the other applications of this browser are to be signed out too.
      seeOther(ctx, `/oauth2/logout?client_id=${CONSOLE_CLIENT_ID}`);
    }),

    route({ method: 'GET', path: '/' }, (ctx) => seeOther(ctx, '/account')),
  ];
}
