import type { Route } from '../../platform/web/route.ts';
import type { Needs } from './needs.ts';
import { setupRoutes } from './routes.ts';
import { createSetupService } from './service.ts';

export type { Needs } from './needs.ts';

/** The first admin, made by whoever holds the setup link; the page is gone once there is one. */
export function createSetup(needs: Needs): { routes: Route[] } {
  return { routes: setupRoutes(needs, createSetupService(needs)) };
}
