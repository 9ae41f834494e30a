import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { nameTaken, serviceAccountNotFound } from './errors.ts';
import {
  type CreateServiceAccountInput,
  createServiceAccountInput,
  overlapInput,
  permissionsInput,
  type UpdateServiceAccountInput,
  updateServiceAccountInput,
} from './schema.ts';
import * as store from './store.ts';

export interface SecretView {
  id: string;
  /** The first characters of the secret. */
  prefix: string;
  createdAt: Date;
  /** null: works until it is revoked. */
  expiresAt: Date | null;
}

export interface IssuedSecret {
  id: string;
  /** In clear, this once. */
  secret: string;
  prefix: string;
}

/** The protocol's side of a service account; all of it runs in the transaction of the use case. */
export interface ClientPort {
  addService(tx: Tx, name: string): Promise<string>;
  rename(tx: Tx, clientId: string, name: string): Promise<void>;
  setDisabled(tx: Tx, clientId: string, disabled: boolean): Promise<boolean>;
  remove(tx: Tx, clientId: string): Promise<boolean>;
  /** Tells the caches that its permissions changed. */
  touch(tx: Tx, clientId: string): Promise<void>;
  secretsOf(tx: Tx, clientId: string): Promise<SecretView[]>;
  issueSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
  rotateSecret(tx: Tx, clientId: string, overlapSeconds: number): Promise<IssuedSecret>;
  revokeSecret(tx: Tx, clientId: string, secretId: string): Promise<{ prefix: string }>;
}

export interface ServiceAccountNeeds {
  clients: ClientPort;
  /** Ids for texts of the form `<audience>#<permission>`. @throws invalid_input on field `permissions` */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
  /** Ends every token of the client. */
  revokeTokens(tx: Tx, clientId: string): Promise<number>;
}

export interface ServiceAccountView extends store.ServiceAccountRow {
  /** Those that work now, newest first. */
  secrets: SecretView[];
}

export interface ServiceAccounts {
  /** @throws invalid_input */
  create(
    input: CreateServiceAccountInput,
    origin: ChangeBy,
  ): Promise<{ id: string; clientId: string; name: string; secret: string }>;
  list(filter: {
    search?: string | undefined;
    after?: string | undefined;
  }): Promise<Page<store.ServiceAccountListItem>>;
  byId(id: string): Promise<ServiceAccountView | null>;
  /** By id, client_id or name: what a person at a command line has at hand. */
  find(text: string): Promise<ServiceAccountView | null>;
  /** @throws invalid_input, service_accounts.not_found; so for all that follow */
  update(id: string, input: UpdateServiceAccountInput, origin: ChangeBy): Promise<void>;
  /** Replaces them all. */
  setPermissions(id: string, permissions: string[], origin: ChangeBy): Promise<void>;
  /** `overlapSeconds`: one of SECRET_OVERLAPS. */
  rotateSecret(id: string, overlapSeconds: number, origin: ChangeBy): Promise<IssuedSecret>;
  /** @throws clients.secret_not_found */
  revokeSecret(id: string, secretId: string, origin: ChangeBy): Promise<void>;
  /** Its tokens end with it. False where it was so already. */
  disable(id: string, origin: ChangeBy): Promise<boolean>;
  enable(id: string, origin: ChangeBy): Promise<boolean>;
  /** Its tokens end with it. */
  remove(id: string, origin: ChangeBy): Promise<void>;
}

export function createServiceAccountService(
  deps: { db: Database; audit: Audit; clock: Clock } & ServiceAccountNeeds,
): ServiceAccounts {
  const { db, audit, clock, clients, permissionIds, revokeTokens } = deps;

  /** Changes of one account wait for each other, so that the event tells what was true. */
  async function locked(tx: Tx, id: string): Promise<store.ServiceAccountRow> {
    if (!isId(id)) throw serviceAccountNotFound();
    await store.lockServiceAccount(tx, id);
    const account = await store.findServiceAccount(tx, { id });
    if (!account) throw serviceAccountNotFound();
    return account;
  }

  async function withSecrets(account: store.ServiceAccountRow | null): Promise<ServiceAccountView | null> {
    return account && { ...account, secrets: await clients.secretsOf(db.prisma, account.clientId) };
  }

  async function record(
    tx: Tx,
    verb: string,
    account: { id: string; clientId: string; name: string },
    origin: ChangeBy,
    data?: Record<string, unknown>,
  ): Promise<void> {
    const { id, clientId, name } = account;
    const event = { action: `service_account.${verb}`, target: { type: 'service_account', id, name }, clientId };
    await audit.in(tx, changeEvent(origin, data ? { ...event, data } : event));
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
    async create(input, origin) {
      const { name, description, permissions } = check(createServiceAccountInput, input);
      const at = clock.now();
      const id = newId(at.getTime());
      return await unique(() =>
        db.tx(async (tx) => {
          const granted = await permissionIds(tx, permissions);
          const clientId = await clients.addService(tx, name);
          await store.insertServiceAccount(tx, { id, clientId, name, description, at });
          await store.replacePermissions(tx, id, granted, at);
          const { secret, prefix } = await clients.issueSecret(tx, clientId);
          await record(tx, 'create', { id, clientId, name }, origin, { permissions, secretPrefix: prefix });
          return { id, clientId, name, secret };
        }),
      );
    },

    list: ({ search, after }) =>
      store.listServiceAccounts(db.prisma, { search: search?.trim().slice(0, 200), after: decodeTimeCursor(after) }),

    byId: async (id) => (isId(id) ? await withSecrets(await store.findServiceAccount(db.prisma, { id })) : null),

    find: async (text) =>
      await withSecrets(
        (isId(text) ? await store.findServiceAccount(db.prisma, { id: text }) : null) ??
          (await store.findServiceAccount(db.prisma, { clientId: text })) ??
          (await store.findServiceAccount(db.prisma, { name: text })),
      ),

    async update(id, input, origin) {
      const { name, description } = check(updateServiceAccountInput, input);
      await unique(() =>
        db.tx(async (tx) => {
          const account = await locked(tx, id);
          await store.updateServiceAccount(tx, id, { name, description, at: clock.now() });
          await clients.rename(tx, account.clientId, name);
          await record(tx, 'update', { ...account, name }, origin, { name, description });
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

    async rotateSecret(id, overlapSeconds, origin) {
      const { overlap } = check(overlapInput, { overlap: overlapSeconds });
      return await db.tx(async (tx) => {
        const account = await locked(tx, id);
        const issued = await clients.rotateSecret(tx, account.clientId, overlap);
        const data = { secretPrefix: issued.prefix, overlapSeconds: overlap };
        await record(tx, 'rotate_secret', account, origin, data);
        return issued;
      });
    },

    async revokeSecret(id, secretId, origin) {
      await db.tx(async (tx) => {
        const account = await locked(tx, id);
        const { prefix } = await clients.revokeSecret(tx, account.clientId, secretId);
        await record(tx, 'revoke_secret', account, origin, { secretPrefix: prefix });
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
