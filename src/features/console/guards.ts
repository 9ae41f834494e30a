import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from '../../platform/web/context.ts';
import { Redirect } from '../../platform/web/redirect.ts';
import type { Guard } from '../../platform/web/route.ts';
import { consoleCookie } from './cookies.ts';
import type { Needs } from './needs.ts';
import type { SignInFlow } from './sign-in-flow.ts';
import type { ConsoleStore } from './store.ts';

const ADMIN_ROLE = 'admin';
/** How long a second factor counts as fresh for what needs it anew (changing a factor). */
const FRESH_SECONDS = 300;

export function createGuards(
  needs: Needs,
  store: ConsoleStore,
  flow: SignInFlow,
): { person: Guard; admin: Guard; fresh: Guard } {
  const { audit, clock, config, acr } = needs;

  /** A form can't be sent again after signing in: its person is told, and goes back by themself. */
  function signInFirst(ctx: Ctx, maxAgeSeconds?: number): never {
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') throw new AppError('console.signed_out', { status: 401 });
    throw new Redirect(flow.begin(ctx, ctx.url, maxAgeSeconds === undefined ? {} : { maxAgeSeconds }));
  }

  const person: Guard = async (ctx) => {
    const cookie = ctx.cookies.get(consoleCookie(config.secure), { signed: false });
    const found = cookie ? await store.find(cookie) : undefined;
    if (!found || found.acr !== acr) return signInFirst(ctx);
    ctx.state.person = found;
  };

  const admin: Guard = async (ctx) => {
    await person(ctx);
    const who = ctx.state.person;
    if (who?.roles.includes(ADMIN_ROLE)) return;
    await audit.record({
      action: 'access.denied',
      outcome: 'denied',
      reason: 'not_admin',
      actor: { type: 'user', ...(who && { id: who.id, name: who.email }) },
      target: { type: 'page', id: ctx.path },
      request: ctx.state.request,
    });
    throw new AppError('console.admin_only', { status: 403 });
  };

  const fresh: Guard = (ctx) => {
    const since = ctx.state.person?.authTime.getTime() ?? 0;
    if (clock.now().getTime() - since > FRESH_SECONDS * 1000) signInFirst(ctx, FRESH_SECONDS);
  };

  return { person, admin, fresh };
}
