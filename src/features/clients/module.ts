import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { type ClientRegistry, createClientRegistry } from './registry.ts';
import { type Applications, type ApplicationsNeeds, createApplications } from './service.ts';

/** Clients of the protocol: the applications that people sign in to, and the rows and secrets behind service accounts. */
export interface Clients {
  applications: Applications;
  registry: ClientRegistry;
}

export interface Needs extends ApplicationsNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
}

export function createClients(needs: Needs): Clients {
  const registry = createClientRegistry(needs);
  return { registry, applications: createApplications({ ...needs, registry }) };
}
