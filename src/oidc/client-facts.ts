import type { Client } from 'oidc-provider';
import type { ClientFacts } from './client-source.ts';

/** The library's client, with Postern's own facts hung on it by internals.ts. */
const FACTS = new WeakMap<object, ClientFacts>();

const NONE: ClientFacts = {
  type: 'web',
  firstParty: false,
  permissions: [],
  roles: [],
  groups: [],
  settings: {},
  exchange: [],
};

export function attachFacts(client: Client, facts: ClientFacts): void {
  FACTS.set(client, facts);
}

export function factsOf(client: Client | undefined): ClientFacts {
  return (client && FACTS.get(client)) ?? NONE;
}

/** The permission on an API that its own service holds: it may ask whether a token is active, and act on behalf of callers. */
export const INTROSPECT = 'introspect';

/** Names of the permissions on one API that this client may ask for. */
export function permissionsOn(client: Client | undefined, audience: string): string[] {
  return factsOf(client)
    .permissions.filter((permission) => permission.audience === audience)
    .map((permission) => permission.name);
}
