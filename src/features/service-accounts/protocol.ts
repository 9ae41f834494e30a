import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Changes } from './changes.ts';
import { serviceAccountNotFound } from './errors.ts';

export interface ProtocolView {
  settings: ClientSettings;
  /** Names of the switches that an account can have on this installation. */
  switches: string[];
}

/** The switches of the protocol, of any client; all of it runs in the transaction of the use case. */
export interface ProtocolPort {
  viewOf(tx: Tx, clientId: string): Promise<ProtocolView>;
  /** What the change leaves out stays. Null: no such client. @throws invalid_input, naming the contradictory fields */
  set(tx: Tx, clientId: string, change: unknown): Promise<{ before: ClientSettings; after: ClientSettings } | null>;
}

export interface ProtocolSwitches {
  /** What the change leaves out stays. @throws invalid_input, service_accounts.not_found */
  setProtocol(id: string, change: unknown, origin: ChangeBy): Promise<void>;
}

export function createProtocolSwitches(deps: {
  db: Database;
  changes: Changes;
  protocol: ProtocolPort;
}): ProtocolSwitches {
  const { db, changes, protocol } = deps;
  return {
    async setProtocol(id, change, origin) {
      await db.tx(async (tx) => {
        const account = await changes.locked(tx, id);
        const done = await protocol.set(tx, account.clientId, change);
        if (!done) throw serviceAccountNotFound();
        await changes.record(tx, 'protocol', account, origin, done);
      });
    },
  };
}
