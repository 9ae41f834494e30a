import type { SigningAlg } from '../../kernel/access-token.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createDetailTypes, type DetailTypes } from './detail-types.ts';
import { createRoles, type Roles } from './roles.ts';
import { type Apis, createApis } from './service.ts';

/** Who may do what: APIs with their permissions, roles that bundle them, and who holds which role. */
export interface Access {
  apis: Apis;
  roles: Roles;
  detailTypes: DetailTypes;
}

export interface Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
  /** Resolves when there is a key that signs so. */
  signingKey(alg: SigningAlg): Promise<void>;
}

export function createAccess(needs: Needs): Access {
  const apis = createApis(needs);
  const roles = createRoles({ ...needs, permissionIds: apis.permissionIds });
  return { apis, roles, detailTypes: createDetailTypes(needs) };
}
