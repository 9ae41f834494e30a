import { check } from '../../kernel/check.ts';
import { after, type Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import type { RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { createChanges } from './changes.ts';
import {
  type CredentialPort,
  type Credentials,
  type CredentialsView,
  createCredentials,
  credentialsOf,
  readCertificate,
  toldOfCertificate,
} from './credentials.ts';
import { nameTaken } from './errors.ts';
import { createExchangeRules, type ExchangeRules } from './exchange-rules.ts';
import { createProtocolSwitches, type ProtocolPort, type ProtocolSwitches, type ProtocolView } from './protocol.ts';
import { readKeys, toldOfKeys } from './registered-keys.ts';
import {
  type CreateServiceAccountInput,
  createServiceAccountInput,
  permissionsInput,
  type UpdateServiceAccountInput,
  updateServiceAccountInput,
} from './schema.ts';
import * as store from './store.ts';

/** The protocol's side of a service account; all of it runs in the transaction of the use case. */
export interface ClientPort extends CredentialPort {
  /** With keys it signs assertions; without, it uses a secret, which issueSecret gives. */
  addService(tx: Tx, name: string, keys?: RegisteredKeys): Promise<string>;
  rename(tx: Tx, clientId: string, name: string): Promise<void>;
  setDisabled(tx: Tx, clientId: string, disabled: boolean): Promise<boolean>;
  remove(tx: Tx, clientId: string): Promise<boolean>;
  /** Tells the caches that its permissions changed. */
  touch(tx: Tx, clientId: string): Promise<void>;
}

export interface ServiceAccountNeeds {
  clients: ClientPort;
  protocol: ProtocolPort;
  /** Ids for texts of the form `<audience>#<permission>`. @throws invalid_input on field `permissions` */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
  /** Of the team with this name, which stays there until the transaction ends. @throws invalid_input on field `owner` */
  ownerTeamId(tx: Tx, name: string): Promise<string>;
  /** Ends every token of the client. */
  revokeTokens(tx: Tx, clientId: string): Promise<number>;
  /** Why nothing can be asked of an address: a code; undefined: it can. */
  addressProblem(url: string): string | undefined;
}

export interface ServiceAccountView extends store.ServiceAccountRow, CredentialsView {
  protocol: ProtocolView;
}

export interface NewServiceAccount {
  id: string;
  clientId: string;
  name: string;
  /** In clear, this once; an account that signs assertions or has a certificate has none. */
  secret?: string;
}

export interface ServiceAccounts extends Credentials, ProtocolSwitches, ExchangeRules {
  /** @throws invalid_input */
  create(
    input: CreateServiceAccountInput & { auth?: 'secret' },
    origin: ChangeBy,
  ): Promise<NewServiceAccount & { secret: string }>;
  create(input: CreateServiceAccountInput, origin: ChangeBy): Promise<NewServiceAccount>;
  list(filter: {
    search?: string | undefined;
    /** Only those that were there and not used for so many days. */
    unusedDays?: number | undefined;
    after?: string | undefined;
  }): Promise<Page<store.ServiceAccountListItem>>;
  byId(id: string): Promise<ServiceAccountView | null>;
  /** By id, client_id or name: what a person at a command line has at hand. */
  find(text: string): Promise<ServiceAccountView | null>;
  /** @throws invalid_input, service_accounts.not_found; so for all that follow */
  update(id: string, input: UpdateServiceAccountInput, origin: ChangeBy): Promise<void>;
  /** Replaces them all. */
  setPermissions(id: string, permissions: string[], origin: ChangeBy): Promise<void>;
  /** Its tokens end with it. False where it was so already. */
  disable(id: string, origin: ChangeBy): Promise<boolean>;
  enable(id: string, origin: ChangeBy): Promise<boolean>;
  /** Its tokens end with it. */
  remove(id: string, origin: ChangeBy): Promise<void>;
}

export function createServiceAccountService(
  deps: { db: Database; audit: Audit; clock: Clock } & ServiceAccountNeeds,
): ServiceAccounts {
  const { db, audit, clock, clients, protocol, permissionIds, ownerTeamId, revokeTokens, addressProblem } = deps;

  const changes = createChanges({ audit });
  const { locked, record } = changes;

  async function whole(account: store.ServiceAccountRow | null): Promise<ServiceAccountView | null> {
    if (!account) return null;
    const credentials = await credentialsOf(db.prisma, clients, account.clientId);
    return { ...account, ...credentials, protocol: await protocol.viewOf(db.prisma, account.clientId) };
  }

  /** Of the input's own; before the account's row is locked, as everything takes teams first. */
  async function ownership(tx: Tx, { owner, contact }: { owner?: string | undefined; contact?: string | undefined }) {
    const team = owner === undefined ? undefined : owner === '' ? null : await ownerTeamId(tx, owner);
    return { ownerTeamId: team, contact, told: { ...(owner && { owner }), ...(contact && { contact }) } };
  }

  function create(
    input: CreateServiceAccountInput & { auth?: 'secret' },
    origin: ChangeBy,
  ): Promise<NewServiceAccount & { secret: string }>;
  function create(input: CreateServiceAccountInput, origin: ChangeBy): Promise<NewServiceAccount>;
  async function create(input: CreateServiceAccountInput, origin: ChangeBy): Promise<NewServiceAccount> {
    const checked = check(createServiceAccountInput, input);
    const { name, description, permissions, auth } = checked;
    const keys = checked.auth === 'private_key_jwt' ? readKeys(checked, addressProblem) : undefined;
    const certificate = checked.auth === 'certificate' ? readCertificate(checked, clock) : undefined;
    const at = clock.now();
    const id = newId(at.getTime());
    return await unique(() =>
      db.tx(async (tx) => {
        const granted = await permissionIds(tx, permissions);
        const { told, ...owned } = await ownership(tx, checked);
        const clientId = await clients.addService(tx, name, keys);
        const account = { id, clientId, name };
        await store.insertServiceAccount(tx, { ...account, description, ...owned, at });
        await store.replacePermissions(tx, id, granted, at);
        if (keys) {
          await record(tx, 'create', account, origin, { permissions, auth, ...toldOfKeys(keys), ...told });
          return account;
        }
        if (certificate) {
          await clients.useCertificate(tx, clientId, certificate);
          const data = { permissions, auth, certificate: toldOfCertificate(certificate), ...told };
          await record(tx, 'create', account, origin, data);
          return account;
        }
        const { secret, prefix } = await clients.issueSecret(tx, clientId);
        await record(tx, 'create', account, origin, { permissions, auth, secretPrefix: prefix, ...told });
        return { ...account, secret };
      }),
    );
  }

  const setDisabled = (id: string, disabled: boolean, origin: ChangeBy) =>
    db.tx(async (tx) => {
      const account = await locked(tx, id);
      if (!(await store.setServiceAccountDisabled(tx, id, disabled, clock.now()))) return false;
      await clients.setDisabled(tx, account.clientId, disabled);
      const data = disabled ? { revokedTokens: await revokeTokens(tx, account.clientId) } : undefined;
      await record(tx, disabled ? 'disable' : 'enable', account, origin, data);
      return true;
    });

  return {
    create,
    ...createCredentials({ db, clock, clients, changes, addressProblem }),
    ...createProtocolSwitches({ db, changes, protocol }),
    ...createExchangeRules({ db, clock, changes, touch: clients.touch }),

    list: ({ search, unusedDays, after: cursor }) =>
      store.listServiceAccounts(db.prisma, {
        search: search?.trim().slice(0, 200),
        unusedSince: unusedDays === undefined ? undefined : after(clock, -unusedDays * 86_400),
        after: decodeTimeCursor(cursor),
      }),

    byId: async (id) => (isId(id) ? await whole(await store.findServiceAccount(db.prisma, { id })) : null),

    find: async (text) =>
      await whole(
        (isId(text) ? await store.findServiceAccount(db.prisma, { id: text }) : null) ??
          (await store.findServiceAccount(db.prisma, { clientId: text })) ??
          (await store.findServiceAccount(db.prisma, { name: text })),
      ),

    async update(id, input, origin) {
      const checked = check(updateServiceAccountInput, input);
      const { name, description } = checked;
      await unique(() =>
        db.tx(async (tx) => {
          const { told, ...owned } = await ownership(tx, checked);
          const account = await locked(tx, id);
          await store.updateServiceAccount(tx, id, { name, description, ...owned, at: clock.now() });
          await clients.rename(tx, account.clientId, name);
          await record(tx, 'update', { ...account, name }, origin, { name, description, ...told });
        }),
      );
    },

    async setPermissions(id, refs, origin) {
      const { permissions } = check(permissionsInput, { permissions: refs });
      await db.tx(async (tx) => {
        const account = await locked(tx, id);
        await store.replacePermissions(tx, id, await permissionIds(tx, permissions), clock.now());
        await clients.touch(tx, account.clientId);
        const added = permissions.filter((ref) => !account.permissions.includes(ref));
        const removed = account.permissions.filter((ref) => !permissions.includes(ref));
        await record(tx, 'permissions', account, origin, { added, removed });
      });
    },

    disable: (id, origin) => setDisabled(id, true, origin),
    enable: (id, origin) => setDisabled(id, false, origin),

    async remove(id, origin) {
      await db.tx(async (tx) => {
        const account = await locked(tx, id);
        const revokedTokens = await revokeTokens(tx, account.clientId);
        // The account's own row goes with its client's (ON DELETE CASCADE).
        await clients.remove(tx, account.clientId);
        await record(tx, 'delete', account, origin, { revokedTokens });
      });
    },
  };
}

/** The unique index decides, so that two requests at once can't both win. */
async function unique<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (store.isUniqueViolation(error)) throw nameTaken();
    throw error;
  }
}
