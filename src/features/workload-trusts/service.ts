import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import { describeKey } from '../../platform/crypto/public-key-set.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { notifyOnCommit, WORKLOAD_TRUSTS_CHANGED } from '../../platform/db/notify.ts';
import { accountNotFound, nameTaken, ownIssuer, tooMany, trustNotFound } from './errors.ts';
import { type TrustEntry, type TrustInput, trustInput } from './schema.ts';
import * as store from './store.ts';

export interface WorkloadTrusts {
  /** @throws invalid_input, workload_trusts.account_not_found, workload_trusts.too_many */
  create(serviceAccountId: string, input: TrustInput, origin: ChangeBy): Promise<store.TrustRow>;
  /** The preset stays. @throws invalid_input, workload_trusts.not_found; the latter for all that follow */
  update(id: string, input: Omit<TrustInput, 'preset'>, origin: ChangeBy): Promise<void>;
  /** From now on no token is taken by it. Those that were issued live on. False where it was so already. */
  disable(id: string, origin: ChangeBy): Promise<boolean>;
  enable(id: string, origin: ChangeBy): Promise<boolean>;
  remove(id: string, origin: ChangeBy): Promise<void>;
  byId(id: string): Promise<store.TrustRow | null>;
  /** Oldest first: of one account, or all. */
  list(serviceAccountId?: string): Promise<store.TrustRow[]>;
}

const MOST_OF_ONE_ACCOUNT = 50;

export function createWorkloadTrustService(deps: {
  db: Database;
  audit: Audit;
  clock: Clock;
  issuer: string;
}): WorkloadTrusts {
  const { db, audit, clock, issuer } = deps;
  const schema = trustInput(issuer);

  function read(input: TrustInput): TrustEntry {
    const entry = check(schema, input);
    // A token of ours for something else must never be a way to another one.
    if (URL.parse(entry.issuer)?.origin === URL.parse(issuer)?.origin) throw ownIssuer();
    return entry;
  }

  async function record(
    tx: Tx,
    verb: string,
    trust: { id: string; name: string },
    account: store.AccountOfTrust,
    origin: ChangeBy,
    data?: Record<string, unknown>,
  ): Promise<void> {
    await notifyOnCommit(tx, WORKLOAD_TRUSTS_CHANGED, '');
    const target = { type: 'workload_trust', id: trust.id, name: trust.name };
    const serviceAccount = { id: account.id, name: account.name };
    const event = { action: `workload_trust.${verb}`, target, clientId: account.clientId };
    await audit.in(tx, changeEvent(origin, { ...event, data: { serviceAccount, ...data } }));
  }

  /** Changes of one account's entries wait for each other, so that the event tells what was true. */
  async function locked(tx: Tx, id: string): Promise<{ trust: store.TrustRow; account: store.AccountOfTrust }> {
    const before = isId(id) ? await store.findTrust(tx, id) : null;
    const account = before ? await store.lockAccount(tx, before.serviceAccountId) : undefined;
    const trust = account ? await store.findTrust(tx, id) : null;
    if (!account || !trust) throw trustNotFound();
    return { trust, account };
  }

  async function nameFree(tx: Tx, serviceAccountId: string, name: string, except?: string): Promise<number> {
    const others = await store.listTrusts(tx, serviceAccountId);
    if (others.some((trust) => trust.id !== except && trust.name === name)) throw nameTaken();
    return others.length;
  }

  const setDisabled = (id: string, disabled: boolean, origin: ChangeBy) =>
    db.tx(async (tx) => {
      const { trust, account } = await locked(tx, id);
      if (!(await store.setTrustDisabled(tx, id, disabled, clock.now()))) return false;
      await record(tx, disabled ? 'disable' : 'enable', trust, account, origin);
      return true;
    });

  return {
    async create(serviceAccountId, input, origin) {
      const entry = read(input);
      const at = clock.now();
      const id = newId(at.getTime());
      await db.tx(async (tx) => {
        const account = isId(serviceAccountId) ? await store.lockAccount(tx, serviceAccountId) : undefined;
        if (!account) throw accountNotFound();
        const count = await nameFree(tx, account.id, entry.name);
        if (count >= MOST_OF_ONE_ACCOUNT) throw tooMany(MOST_OF_ONE_ACCOUNT);
        await store.insertTrust(tx, { id, serviceAccountId: account.id, entry, at });
        await record(tx, 'create', { id, name: entry.name }, account, origin, toldOf(entry));
      });
      return { ...entry, id, serviceAccountId, createdAt: at, updatedAt: at, disabledAt: null, lastUsedAt: null };
    },

    async update(id, input, origin) {
      await db.tx(async (tx) => {
        const { trust, account } = await locked(tx, id);
        const entry = read({ ...input, preset: trust.preset });
        await nameFree(tx, account.id, entry.name, id);
        await store.updateTrust(tx, id, entry, clock.now());
        const data = { before: toldOf(trust), after: toldOf(entry) };
        await record(tx, 'update', { id, name: entry.name }, account, origin, data);
      });
    },

    disable: (id, origin) => setDisabled(id, true, origin),
    enable: (id, origin) => setDisabled(id, false, origin),

    async remove(id, origin) {
      await db.tx(async (tx) => {
        const { trust, account } = await locked(tx, id);
        await store.deleteTrust(tx, id);
        await record(tx, 'delete', trust, account, origin, toldOf(trust));
      });
    },

    byId: async (id) => (isId(id) ? await store.findTrust(db.prisma, id) : null),
    list: (serviceAccountId) => store.listTrusts(db.prisma, serviceAccountId),
  };
}

/** What the audit log keeps of an entry. */
function toldOf(entry: TrustEntry): Record<string, unknown> {
  const { name, preset, issuer, jwksUri, jwks, audience, claims, maxAge, singleUse } = entry;
  const given = jwks?.keys.map(describeKey).map(({ kid, thumbprint }) => ({ kid, thumbprint }));
  return { name, preset, issuer, keys: given ?? jwksUri ?? 'discovery', audience, claims, maxAge, singleUse };
}
