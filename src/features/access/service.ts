import type { SigningAlg } from '../../kernel/access-token.ts';
import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import { formatPermissionRef, parsePermissionRef } from '../../kernel/permission-ref.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { apiNotFound, audienceTaken, permissionTaken, unknownPermission } from './errors.ts';
import {
  type CreateApiInput,
  createApiInput,
  type PermissionInput,
  permissionInput,
  type UpdateApiInput,
  updateApiInput,
} from './schema.ts';
import * as store from './store.ts';

export interface ListFilter {
  /** Part of a name or of an audience. */
  search?: string | undefined;
  after?: string | undefined;
}

/** APIs (resource servers, RFC 8707) and the permissions on them. */
export interface Apis {
  /** Where no name is given, the audience stands for it. @throws invalid_input */
  create(input: CreateApiInput, origin: ChangeBy): Promise<{ id: string; audience: string; permissions: string[] }>;
  list(filter: ListFilter): Promise<Page<store.ApiListItem>>;
  byId(id: string): Promise<store.ApiView | null>;
  /**
   * What changes is true of every token from now on. The audience is for ever: tokens and resource servers go by it.
   * @throws invalid_input, apis.not_found
   */
  update(id: string, input: UpdateApiInput, origin: ChangeBy): Promise<void>;
  /** @throws invalid_input, apis.not_found */
  addPermission(id: string, input: PermissionInput, origin: ChangeBy): Promise<void>;
  /** Takes it from everybody who holds it. @throws apis.not_found */
  removePermission(id: string, permissionId: string, origin: ChangeBy): Promise<void>;
  /** Every permission there is, by API, for choosing among them. */
  allPermissions(): Promise<store.ApiPermissions[]>;
  /** Ids for texts of the form `<audience>#<permission>`, each once. @throws invalid_input on field `permissions` */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
}

export function createApis({
  db,
  audit,
  clock,
  signingKey,
}: {
  db: Database;
  audit: Audit;
  clock: Clock;
  signingKey: (alg: SigningAlg) => Promise<void>;
}): Apis {
  const everyClient = (tx: Tx) => notifyOnCommit(tx, CLIENT_CHANGED, '*');
  const nextId = () => newId(clock.now().getTime());

  return {
    async create(input, origin) {
      const checked = check(createApiInput, input);
      const { audience, permissions, lifetime, name = audience.slice(0, 100), ...form } = checked;
      await signingKey(form.signingAlg);
      const id = nextId();
      const rows = permissions.map((permission) => ({ ...permission, id: nextId() }));
      const names = permissions.map((permission) => permission.name);
      await unique(audienceTaken, () =>
        db.tx(async (tx) => {
          const columns = { id, audience, name, tokenTtl: lifetime, ...form };
          await store.insertApi(tx, { ...columns, at: clock.now(), permissions: rows });
          const target = { type: 'api', id, name };
          const data = { audience, lifetime, ...form, permissions: names };
          await audit.in(tx, changeEvent(origin, { action: 'api.create', target, data }));
          await everyClient(tx);
        }),
      );
      return { id, audience, permissions: names };
    },

    list: ({ search, after }) =>
      store.listApis(db.prisma, { search: search?.trim().slice(0, 200), after: decodeTimeCursor(after) }),

    byId: async (id) => (isId(id) ? await store.findApi(db.prisma, id) : null),

    async update(id, input, origin) {
      const { lifetime, ...rest } = check(updateApiInput, input);
      if (rest.signingAlg) await signingKey(rest.signingAlg);
      await db.tx(async (tx) => {
        const api = isId(id) ? await store.updateApi(tx, id, { ...rest, tokenTtl: lifetime, at: clock.now() }) : null;
        if (!api) throw apiNotFound();
        const target = { type: 'api', id, name: rest.name };
        const data = { ...api, lifetime };
        await audit.in(tx, changeEvent(origin, { action: 'api.update', target, data }));
        await everyClient(tx);
      });
    },

    async addPermission(id, input, origin) {
      const permission = check(permissionInput, input);
      await unique(permissionTaken, () =>
        db.tx(async (tx) => {
          const api = isId(id) ? await store.findApi(tx, id) : null;
          if (!api) throw apiNotFound();
          await store.insertPermission(tx, id, { ...permission, id: nextId() });
          const target = { type: 'api', id, name: api.name };
          const data = { audience: api.audience, addedPermission: permission.name };
          await audit.in(tx, changeEvent(origin, { action: 'api.update', target, data }));
          await everyClient(tx);
        }),
      );
    },

    async removePermission(id, permissionId, origin) {
      await db.tx(async (tx) => {
        const api = isId(id) ? await store.findApi(tx, id) : null;
        const removed = api && isId(permissionId) ? await store.deletePermission(tx, id, permissionId) : null;
        if (!api || !removed) throw apiNotFound();
        const target = { type: 'api', id, name: api.name };
        const data = { audience: api.audience, removedPermission: removed.name };
        await audit.in(tx, changeEvent(origin, { action: 'api.update', target, data }));
        await everyClient(tx);
      });
    },

    allPermissions: () => store.allPermissions(db.prisma),

    async permissionIds(tx, refs) {
      const parsed = [...new Set(refs)].map((text) => {
        const ref = parsePermissionRef(text);
        if (!ref) throw unknownPermission(text);
        return ref;
      });
      const found = await store.findPermissionIds(tx, parsed);
      return parsed.map((ref) => {
        const id = found.get(formatPermissionRef(ref));
        if (id === undefined) throw unknownPermission(formatPermissionRef(ref));
        return id;
      });
    },
  };
}

/** The unique index decides, so that two requests at once can't both win. */
async function unique<T>(taken: () => Error, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (store.isUniqueViolation(error)) throw taken();
    throw error;
  }
}
