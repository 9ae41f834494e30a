import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createRoles, type Roles } from './roles.ts';
import { type Apis, createApis } from './service.ts';

/** Who may do what: APIs with their permissions, roles that bundle them, and who holds which role. */
export interface Access {
  apis: Apis;
  roles: Roles;
}

export interface Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
}

export function createAccess(needs: Needs): Access {
  const apis = createApis(needs);
  return { apis, roles: createRoles({ ...needs, permissionIds: apis.permissionIds }) };
}
