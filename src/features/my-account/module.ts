import type { Route } from '../../platform/web/route.ts';
import { createMyAccountMail } from './mail.ts';
import type { MyAccountNeeds } from './needs.ts';
import { myAccountRoutes } from './routes.ts';
import { createMyAccount as createService } from './service.ts';

/** What people do with their own account: see it, end sessions, change password and second factor, take consent back. */
export function createMyAccount(needs: MyAccountNeeds): { routes: Route[] } {
  const service = createService(needs, createMyAccountMail(needs));
  return { routes: myAccountRoutes(needs, service) };
}
