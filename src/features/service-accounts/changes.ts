import { isId } from '../../kernel/ids.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Tx } from '../../platform/db/database.ts';
import { serviceAccountNotFound } from './errors.ts';
import * as store from './store.ts';

/** What each change of an account begins and ends with, in one transaction. */
export interface Changes {
  /**
   * Changes of one account wait for each other, so that the event tells what was true.
   * @throws service_accounts.not_found
   */
  locked(tx: Tx, id: string): Promise<store.ServiceAccountRow>;
  /** The event `service_account.<verb>`. */
  record(
    tx: Tx,
    verb: string,
    account: { id: string; clientId: string; name: string },
    origin: ChangeBy,
    data?: Record<string, unknown>,
  ): Promise<void>;
}

export function createChanges({ audit }: { audit: Audit }): Changes {
  return {
    async locked(tx, id) {
      if (!isId(id)) throw serviceAccountNotFound();
      await store.lockServiceAccount(tx, id);
      const account = await store.findServiceAccount(tx, { id });
      if (!account) throw serviceAccountNotFound();
      return account;
    },

    async record(tx, verb, { id, clientId, name }, origin, data) {
      const event = { action: `service_account.${verb}`, target: { type: 'service_account', id, name }, clientId };
      await audit.in(tx, changeEvent(origin, data ? { ...event, data } : event));
    },
  };
}
