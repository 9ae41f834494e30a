import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { type Assignments, createAssignments } from './assignments.ts';
import { roleBuiltIn, roleNameTaken, roleNotFound } from './errors.ts';
import * as inclusionStore from './inclusion-store.ts';
import { setInclusions } from './inclusions.ts';
import { listRoles, type OfferedRoles, offerRoles, type RoleListItem } from './role-list-store.ts';
import * as store from './role-store.ts';
import { type CreateRoleInput, createRoleInput, type UpdateRoleInput, updateRoleInput } from './schema.ts';
import { isUniqueViolation } from './store.ts';

/** A role with all that stands around it. */
export interface RoleDetail extends store.RoleView {
  relations: inclusionStore.RoleRelations;
}

/** Roles, the permissions that they carry, what they include, and who holds them. */
export interface Roles extends Assignments {
  /** @throws invalid_input */
  create(input: CreateRoleInput, origin: ChangeBy): Promise<{ id: string; name: string }>;
  /** `search`: part of a name or description. `after`: the `next` or `previous` of another page. */
  list(filter: { search?: string | undefined; after?: string | undefined }): Promise<Page<RoleListItem>>;
  /** For forms to choose from; any other can be named. `except`: the name of one that is left out. */
  offered(which: { builtIn: boolean; except?: string | undefined }): Promise<OfferedRoles>;
  byName(name: string): Promise<store.RoleView | null>;
  detail(name: string): Promise<RoleDetail | null>;
  /** Replaces the description and all permissions, and the inclusions where they are given. @throws invalid_input, roles.not_found */
  update(name: string, input: UpdateRoleInput, origin: ChangeBy): Promise<void>;
  /** @throws roles.not_found, roles.built_in */
  remove(name: string, origin: ChangeBy): Promise<void>;
}

export interface RolesNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
}

export function createRoles({ db, audit, clock, permissionIds }: RolesNeeds): Roles {
  return {
    ...createAssignments({ db, audit, clock }),

    async create(input, origin) {
      const { name, description, permissions, includes } = check(createRoleInput, input);
      const at = clock.now();
      const id = newId(at.getTime());
      try {
        await db.tx(async (tx) => {
          if (includes.length > 0) await inclusionStore.lockInclusions(tx);
          const granted = await permissionIds(tx, permissions);
          await store.insertRole(tx, { id, name, description, createdAt: at, permissionIds: granted });
          if (includes.length > 0) await setInclusions(tx, { id, name, builtIn: false }, includes);
          const target = { type: 'role', id, name };
          const data = { permissions, ...(includes.length > 0 ? { includes } : {}) };
          await audit.in(tx, changeEvent(origin, { action: 'role.create', target, data }));
        });
      } catch (error) {
        if (isUniqueViolation(error)) throw roleNameTaken();
        throw error;
      }
      return { id, name };
    },

    list: ({ search, after }) =>
      listRoles(db, { search: search?.trim().slice(0, 200) || undefined, after, now: clock.now() }),

    offered: (which) => offerRoles(db.prisma, which),
    byName: (name) => store.findRole(db.prisma, name, clock.now()),

    async detail(name) {
      const role = await store.findRole(db.prisma, name, clock.now());
      return role && { ...role, relations: await inclusionStore.readRelations(db, role.id) };
    },

    async update(name, input, origin) {
      const { description, permissions, includes } = check(updateRoleInput, input);
      await db.tx(async (tx) => {
        // Before the role's own row, as in remove(): whoever waits for one lock holds none that the other wants.
        if (includes) await inclusionStore.lockInclusions(tx);
        const role = await store.lockRole(tx, name);
        if (!role) throw roleNotFound();
        await store.setDescription(tx, role.id, description);
        await store.replaceRolePermissions(tx, role.id, await permissionIds(tx, permissions));
        const changed = includes !== undefined && (await setInclusions(tx, role, includes));
        const target = { type: 'role', id: role.id, name };
        const data = { description, permissions, ...(changed ? { includes } : {}) };
        await audit.in(tx, changeEvent(origin, { action: 'role.update', target, data }));
        await notifyOnCommit(tx, CLIENT_CHANGED, '*');
      });
    },

    async remove(name, origin) {
      await db.tx(async (tx) => {
        await inclusionStore.lockInclusions(tx);
        const role = await store.lockRole(tx, name);
        if (!role) throw roleNotFound();
        const above = await inclusionStore.reachedFrom(tx, role.id);
        if (!(await store.deleteRole(tx, role.id))) throw roleBuiltIn();
        // What they reached through it they reach no more, unless another way leads there.
        await inclusionStore.refreshReach(tx, above);
        await audit.in(tx, changeEvent(origin, { action: 'role.delete', target: { type: 'role', id: role.id, name } }));
        await notifyOnCommit(tx, CLIENT_CHANGED, '*');
      });
    },
  };
}
