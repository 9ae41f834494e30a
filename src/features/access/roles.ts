import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { holderNotFound, holderUnknown, lastAdmin, roleBuiltIn, roleNameTaken, roleNotFound } from './errors.ts';
import * as store from './role-store.ts';
import { type CreateRoleInput, createRoleInput, type UpdateRoleInput, updateRoleInput } from './schema.ts';
import { isUniqueViolation } from './store.ts';

export const ADMIN_ROLE = 'admin';

/** Roles, the permissions that they carry, and who holds them. */
export interface Roles {
  /** @throws invalid_input */
  create(input: CreateRoleInput, origin: ChangeBy): Promise<{ id: string; name: string }>;
  list(): Promise<store.RoleView[]>;
  byName(name: string): Promise<store.RoleView | null>;
  /** Replaces the description and all permissions. @throws invalid_input, roles.not_found */
  update(name: string, input: UpdateRoleInput, origin: ChangeBy): Promise<void>;
  /** @throws roles.not_found, roles.built_in */
  remove(name: string, origin: ChangeBy): Promise<void>;
  /** False where it was held already. @throws roles.not_found, roles.holder_not_found */
  assign(name: string, holder: store.Holder, origin: ChangeBy): Promise<boolean>;
  /** The same inside the caller's transaction. */
  assignIn(tx: Tx, name: string, holder: store.Holder, origin: ChangeBy): Promise<boolean>;
  /** False where it was not held. @throws roles.not_found, roles.holder_not_found, roles.last_admin */
  unassign(name: string, holder: store.Holder, origin: ChangeBy): Promise<boolean>;
  /** A person by e-mail address, or a service account by name or client_id. @throws invalid_input on field `holder` */
  assignTo(name: string, holder: string, origin: ChangeBy): Promise<boolean>;
  /** Newest first; `after` is the `next` or `previous` of another page. */
  holdersOf(roleId: string, after?: string): Promise<Page<store.HolderView>>;
  /** Names, in alphabetical order. */
  rolesOf(holder: store.Holder): Promise<string[]>;
  /**
   * Call it in the transaction that disables or deletes a person. It holds the admin role's row until that transaction
   * ends, so of two such changes at once the second sees the first. @throws roles.last_admin
   */
  assertNotLastAdmin(tx: Tx, userId: string): Promise<void>;
}

export interface RolesNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
}

export function createRoles({ db, audit, clock, permissionIds }: RolesNeeds): Roles {
  const nextId = () => newId(clock.now().getTime());

  async function assertNotLastAdmin(tx: Tx, userId: string): Promise<void> {
    const role = await store.lockRole(tx, ADMIN_ROLE);
    if (!role || !(await store.holdsRole(tx, role.id, userId))) return;
    if ((await store.countOtherHolders(tx, role.id, userId, clock.now())) === 0) throw lastAdmin();
  }

  async function assignIn(tx: Tx, name: string, holder: store.Holder, origin: ChangeBy): Promise<boolean> {
    const { role, who } = await roleAndHolder(tx, name, holder);
    const assigned = await store.insertAssignment(tx, {
      id: nextId(),
      roleId: role.id,
      holder,
      grantedBy: origin.by.id ?? origin.by.type,
      createdAt: clock.now(),
    });
    if (assigned) await record(tx, 'role.assign', { role: name, holder, who }, origin);
    return assigned;
  }

  async function roleAndHolder(tx: Tx, name: string, holder: store.Holder) {
    const role = await store.lockRole(tx, name);
    if (!role) throw roleNotFound();
    const id = 'userId' in holder ? holder.userId : holder.serviceAccountId;
    const who = isId(id) ? await store.findHolder(tx, holder) : null;
    if (!who) throw holderNotFound();
    return { role, who };
  }

  async function record(
    tx: Tx,
    action: 'role.assign' | 'role.unassign',
    change: { role: string; holder: store.Holder; who: { name: string; clientId: string | undefined } },
    origin: ChangeBy,
  ): Promise<void> {
    const { holder, who } = change;
    const target =
      'userId' in holder
        ? { type: 'user', id: holder.userId, name: who.name }
        : { type: 'service_account', id: holder.serviceAccountId, name: who.name };
    await audit.in(tx, changeEvent(origin, { action, target, data: { role: change.role } }));
    if (who.clientId !== undefined) await notifyOnCommit(tx, CLIENT_CHANGED, who.clientId);
  }

  return {
    assertNotLastAdmin,
    assignIn,

    async create(input, origin) {
      const { name, description, permissions } = check(createRoleInput, input);
      const id = nextId();
      try {
        await db.tx(async (tx) => {
          const permissionIdList = await permissionIds(tx, permissions);
          await store.insertRole(tx, {
            id,
            name,
            description,
            createdAt: clock.now(),
            permissionIds: permissionIdList,
          });
          const target = { type: 'role', id, name };
          await audit.in(tx, changeEvent(origin, { action: 'role.create', target, data: { permissions } }));
        });
      } catch (error) {
        if (isUniqueViolation(error)) throw roleNameTaken();
        throw error;
      }
      return { id, name };
    },

    list: () => store.listRoles(db.prisma),
    byName: (name) => store.findRole(db.prisma, { name }),

    async update(name, input, origin) {
      const { description, permissions } = check(updateRoleInput, input);
      await db.tx(async (tx) => {
        const role = await store.lockRole(tx, name);
        if (!role) throw roleNotFound();
        await store.setDescription(tx, role.id, description);
        await store.replaceRolePermissions(tx, role.id, await permissionIds(tx, permissions));
        const target = { type: 'role', id: role.id, name };
        await audit.in(tx, changeEvent(origin, { action: 'role.update', target, data: { description, permissions } }));
        await notifyOnCommit(tx, CLIENT_CHANGED, '*');
      });
    },

    async remove(name, origin) {
      await db.tx(async (tx) => {
        const role = await store.lockRole(tx, name);
        if (!role) throw roleNotFound();
        if (!(await store.deleteRole(tx, role.id))) throw roleBuiltIn();
        await audit.in(tx, changeEvent(origin, { action: 'role.delete', target: { type: 'role', id: role.id, name } }));
        await notifyOnCommit(tx, CLIENT_CHANGED, '*');
      });
    },

    assign: (name, holder, origin) => db.tx((tx) => assignIn(tx, name, holder, origin)),

    assignTo: (name, text, origin) =>
      db.tx(async (tx) => {
        const holder = await store.findHolderByName(tx, text);
        if (!holder) throw holderUnknown();
        return await assignIn(tx, name, holder, origin);
      }),

    holdersOf: (roleId, after) => store.listHolders(db.prisma, roleId, decodeTimeCursor(after)),

    unassign: (name, holder, origin) =>
      db.tx(async (tx) => {
        const { role, who } = await roleAndHolder(tx, name, holder);
        if (name === ADMIN_ROLE && 'userId' in holder) await assertNotLastAdmin(tx, holder.userId);
        const removed = await store.deleteAssignment(tx, role.id, holder);
        if (removed) await record(tx, 'role.unassign', { role: name, holder, who }, origin);
        return removed;
      }),

    async rolesOf(holder) {
      const id = 'userId' in holder ? holder.userId : holder.serviceAccountId;
      return isId(id) ? await store.roleNames(db.prisma, holder, clock.now()) : [];
    },
  };
}
