import type { Audit } from '../../platform/audit/audit.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { createInitialTokens, type InitialTokens } from './initial-tokens.ts';
import { createRegistrations, type RegistrationNeeds, type Registrations } from './registrations.ts';

/** Applications that register themselves with a token that an admin made (RFC 7591), and manage themselves (RFC 7592). */
export interface Registration {
  tokens: InitialTokens;
  registrations: Registrations;
}

export interface Needs extends RegistrationNeeds {
  db: Database;
  audit: Audit;
  /** @throws invalid_input on field `permissions` where one is not there */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
}

export function createRegistration(needs: Needs): Registration {
  return { tokens: createInitialTokens(needs), registrations: createRegistrations(needs) };
}
