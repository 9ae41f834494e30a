import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createWorkloadTrustService, type WorkloadTrusts } from './service.ts';

/** Trust entries: which workload of which platform is taken for a service account, by the token that it already has. */
export interface Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
  /** Postern's own: the audience of tokens where an entry names none. */
  issuer: string;
}

export function createWorkloadTrusts(needs: Needs): WorkloadTrusts {
  return createWorkloadTrustService(needs);
}
