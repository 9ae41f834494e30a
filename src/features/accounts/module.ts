import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';
import type { Database } from '../../platform/db/database.ts';
import { createLinks, type Links } from './links.ts';
import { type AccountService, createAccountService, type Needs } from './service.ts';
import { createAccountStore } from './store.ts';

/** People: who exists, in which state, with which roles, and the links that let somebody in for the first time. */
export interface Accounts extends AccountService {
  links: Links;
}

export interface AccountsOptions extends Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
  envelope: Envelope;
}

export function createAccounts({ db, audit, clock, envelope, ...needs }: AccountsOptions): Accounts {
  const store = createAccountStore(db);
  return {
    ...createAccountService({ db, store, audit, clock, needs }),
    links: createLinks({ store, clock, envelope }),
  };
}
