import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { type ApplicationProtocol, createApplicationProtocol } from './application-protocol.ts';
import { type ClientProtocol, createClientProtocol, type ProtocolParts } from './protocol.ts';
import { createRegisteredApplications, type RegisteredApplications } from './registered.ts';
import { type ClientRegistry, createClientRegistry } from './registry.ts';
import { type Applications, type ApplicationsNeeds, createApplications } from './service.ts';

/** Clients of the protocol: the applications that people sign in to, and the rows and secrets behind service accounts. */
export interface Clients {
  applications: Applications & ApplicationProtocol;
  /** The switches of any client. */
  protocol: ClientProtocol;
  registry: ClientRegistry;
  /** Those that register and manage themselves. */
  registered: RegisteredApplications;
}

export interface Needs extends ApplicationsNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  parts: ProtocolParts;
}

export function createClients(needs: Needs): Clients {
  const registry = createClientRegistry(needs);
  const protocol = createClientProtocol(needs);
  const applications = {
    ...createApplications({ ...needs, registry }),
    ...createApplicationProtocol({ ...needs, registry, protocol }),
  };
  const registered = createRegisteredApplications({ ...needs, registry });
  return { registry, protocol, applications, registered };
}
