import type { Guard, Route } from '../../platform/web/route.ts';
import { createGuards } from './guards.ts';
import type { Needs } from './needs.ts';
import { consoleRoutes } from './routes.ts';
import { createSignInFlow } from './sign-in-flow.ts';
import { createConsoleStore } from './store.ts';

/** Signing in to /account and /admin: Postern's own pages are an OpenID Connect client like any other. */
export interface Console {
  /** A signed-in person stands in ctx.state.person; anybody else is sent to sign in and comes back. */
  person: Guard;
  /** The same for one who holds the role admin. */
  admin: Guard;
  /** After `person` or `admin`: signed in with a second factor within the last five minutes, else once more. */
  fresh: Guard;
  routes: Route[];
}

export function createConsole(needs: Needs): Console {
  const store = createConsoleStore({ db: needs.db, clock: needs.clock, idleSeconds: needs.config.sessionIdleSeconds });
  const flow = createSignInFlow(needs);
  const guards = createGuards(needs, store, flow);
  return { ...guards, routes: consoleRoutes(needs, store, flow) };
}
