import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createRevocation, type Revocation } from './revoke-all.ts';
import { createTokenService, type Tokens } from './service.ts';

/** The tokens that were issued, for admins to see and to revoke. */
export interface Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
}

export function createTokens(needs: Needs): Tokens & Revocation {
  return { ...createTokenService(needs), ...createRevocation(needs) };
}
