import type { Route } from '../../platform/web/route.ts';
import type { Needs } from './needs.ts';
import { invitationRoutes } from './routes.ts';
import { createInvitationService } from './service.ts';

export type { Needs } from './needs.ts';

/** An invited person chooses a name and a password, once, and goes on to enrol a second factor. */
export function createInvitation(needs: Needs): { routes: Route[] } {
  return { routes: invitationRoutes(needs, createInvitationService(needs)) };
}
