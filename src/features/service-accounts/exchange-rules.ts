import { z } from 'zod';
import { check, invalidInput } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId } from '../../kernel/ids.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Changes } from './changes.ts';
import * as rules from './exchange-store.ts';
import { findServiceAccount, type ServiceAccountRow } from './store.ts';

/** An audience is a URI that the API was made with: what is longer is none. */
const exchangeInput = z.strictObject({
  exchange: z.array(z.string().max(500, 'too_long')).max(500, 'too_many').default([]),
});

/**
 * Which APIs a service may call on behalf of whoever calls it (token exchange, RFC 8693). `id` is the account's.
 * @throws invalid_input, service_accounts.not_found
 */
export interface ExchangeRules {
  /** Sorted by audience. */
  exchangeRules(id: string): Promise<{ audience: string; name: string }[]>;
  /** Replaces them all; by audience. */
  setExchangeRules(id: string, audiences: string[], origin: ChangeBy): Promise<void>;
  /** False where there was the rule already. */
  allowExchange(id: string, audience: string, origin: ChangeBy): Promise<boolean>;
  /** False where there was no such rule. */
  denyExchange(id: string, audience: string, origin: ChangeBy): Promise<boolean>;
}

export function createExchangeRules(deps: {
  db: Database;
  clock: Clock;
  changes: Changes;
  /** Tells the caches. */
  touch(tx: Tx, clientId: string): Promise<void>;
}): ExchangeRules {
  const { db, clock, changes, touch } = deps;

  /** Whether anything changed. */
  async function change(
    tx: Tx,
    account: ServiceAccountRow,
    decide: (before: string[]) => string[],
    origin: ChangeBy,
  ): Promise<boolean> {
    const before = (await rules.listExchange(tx, account.clientId)).map(({ audience }) => audience);
    const { exchange } = check(exchangeInput, { exchange: decide(before) });
    const known = await rules.findApiIds(tx, exchange);
    if (exchange.some((audience) => !known.has(audience))) {
      throw invalidInput({ exchange: { code: 'service_accounts.exchange_unknown' } });
    }
    const added = exchange.filter((audience) => !before.includes(audience));
    const removed = before.filter((audience) => !exchange.includes(audience));
    if (added.length === 0 && removed.length === 0) return false;
    const { type, id = type, name = id } = origin.by;
    const made = { createdBy: name, createdAt: clock.now() };
    await rules.replaceExchange(tx, account.clientId, [...known.values()], made);
    await touch(tx, account.clientId);
    await changes.record(tx, 'exchange_rules', account, origin, { added, removed });
    return true;
  }

  const changed = (id: string, decide: (before: string[]) => string[], origin: ChangeBy) =>
    db.tx(async (tx) => change(tx, await changes.locked(tx, id), decide, origin));

  return {
    async exchangeRules(id) {
      const account = isId(id) ? await findServiceAccount(db.prisma, { id }) : null;
      return account ? await rules.listExchange(db.prisma, account.clientId) : [];
    },
    async setExchangeRules(id, audiences, origin) {
      await changed(id, () => audiences, origin);
    },
    allowExchange: (id, audience, origin) => changed(id, (before) => [...new Set([...before, audience])], origin),
    denyExchange: (id, audience, origin) => changed(id, (before) => before.filter((one) => one !== audience), origin),
  };
}
