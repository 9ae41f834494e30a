import Provider from 'oidc-provider';
import type { Database } from '../platform/db/database.ts';
import { type AccountRecord, type AccountRow, selectAccount, toAccount } from './account-row.ts';
import { readTogether } from './request-reads.ts';

export interface AccountSource {
  find(userId: string, clientId: string | undefined): Promise<AccountRecord | undefined>;
}

const FIND = selectAccount('$1', '$2');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createAccountSource(db: Database): AccountSource {
  return {
    async find(userId, clientId) {
      if (!UUID.test(userId)) return undefined;
      const { account } = readTogether(Provider.ctx);
      if (account?.userId === userId && account.clientId === clientId) return account.record;
      const [row] = await db.query<AccountRow>('account-find', FIND, [userId, clientId ?? null]);
      return row && toAccount(row);
    },
  };
}
