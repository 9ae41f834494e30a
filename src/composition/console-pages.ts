import { apiAdminPages } from '../features/access/admin-pages.ts';
import { userAdminRoutes } from '../features/accounts/admin-pages.ts';
import type { Console } from '../features/console/module.ts';
import type { AttemptLimits } from '../platform/limits/sign-in-limits.ts';
import type { Route } from '../platform/web/route.ts';
import type { Views } from '../platform/web/views.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';

/** /account and /admin: the pages behind the console's guards. */
export function consolePages(
  foundation: Foundation,
  parts: Parts,
  web: { views: Views; console: Console; limits: AttemptLimits; consents: unknown },
): Route[] {
  const { access, users } = parts;
  const { views, console } = web;
  const { admin } = console;
  return [
    ...apiAdminPages({ apis: access.apis, views, admin }),
    ...userAdminRoutes({ views, users, roles: { all: () => access.roles.list() }, admin }),
  ];
}
