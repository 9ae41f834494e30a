import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createServiceAccountService, type ServiceAccountNeeds, type ServiceAccounts } from './service.ts';

/** Accounts of services: they get tokens by client credentials, for the API permissions that they hold. */
export interface Needs extends ServiceAccountNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
}

export function createServiceAccounts(needs: Needs): ServiceAccounts {
  return createServiceAccountService(needs);
}
