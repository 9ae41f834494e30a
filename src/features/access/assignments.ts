import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import * as store from './assignment-store.ts';
import {
  holderAmbiguous,
  holderNotFound,
  holderUnknown,
  lastAdmin,
  lastLastingAdmin,
  notForTeams,
  roleNotFound,
  roleUnknown,
} from './errors.ts';
import { type HeldRole, heldBy } from './held-store.ts';
import { lockRole } from './role-store.ts';
import { endOf, type Terms } from './terms.ts';

export const ADMIN_ROLE = 'admin';

/** `given`: it was not held. `changed`: it was, on other terms. `held`: nothing changed. */
export type Assigned = 'given' | 'changed' | 'held';

/** Who holds which role, and until when. An assignment whose time is over has no effect from that moment on. */
export interface Assignments {
  /**
   * Giving it again changes when it ends.
   * @throws invalid_input on field `expires`, roles.not_found (422) on field `role`, roles.holder_not_found, roles.not_for_teams
   */
  assign(name: string, holder: store.Holder, origin: ChangeBy, terms?: Terms): Promise<Assigned>;
  /** The same inside the caller's transaction. @throws roles.not_found (404) */
  assignIn(tx: Tx, name: string, holder: store.Holder, origin: ChangeBy, terms?: Terms): Promise<Assigned>;
  /** To whoever the text names. @throws roles.not_found (404), also invalid_input on field `holder` */
  assignTo(name: string, holder: string, origin: ChangeBy, terms?: Terms): Promise<Assigned>;
  /** False where it was not held. @throws roles.not_found, roles.holder_not_found, roles.last_admin */
  unassign(name: string, holder: store.Holder, origin: ChangeBy): Promise<boolean>;
  /** Newest first; `after` is the `next` or `previous` of another page. */
  holdersOf(roleId: string, after?: string): Promise<Page<store.HolderView>>;
  /** Every role that has effect, by whichever source: names, in alphabetical order. */
  rolesOf(holder: store.Holder): Promise<string[]>;
  /** The same with their sources, and with what was given directly and is over. */
  heldBy(holder: store.Holder): Promise<HeldRole[]>;
  /**
   * Call it in the transaction that disables or deletes a person. It holds the admin role's row until that transaction
   * ends, so of two such changes at once the second sees the first. @throws roles.last_admin
   */
  assertNotLastAdmin(tx: Tx, userId: string): Promise<void>;
}

export function createAssignments(deps: { db: Database; audit: Audit; clock: Clock }): Assignments {
  const { db, audit, clock } = deps;

  // Only those count whose role has no end: otherwise a day comes on which nobody is left.
  async function assertNotLastAdmin(tx: Tx, userId: string): Promise<void> {
    const role = await lockRole(tx, ADMIN_ROLE);
    if (!role || !(await store.holdsForGood(tx, role.id, userId))) return;
    if ((await store.countOthersForGood(tx, role.id, userId)) === 0) throw lastAdmin();
  }

  async function assignIn(
    tx: Tx,
    name: string,
    holder: store.Holder,
    origin: ChangeBy,
    terms: Terms = {},
  ): Promise<Assigned> {
    const now = clock.now();
    const expiresAt = endOf(terms, now);
    const { role, who } = await roleAndHolder(tx, name, holder);
    if (role.builtIn && 'teamId' in holder) throw notForTeams();
    if (name === ADMIN_ROLE && expiresAt !== null && 'userId' in holder) {
      if ((await store.countOthersForGood(tx, role.id, holder.userId)) === 0) throw lastLastingAdmin();
    }

    const grantedBy = origin.by.id ?? origin.by.type;
    const before = await store.findAssignment(tx, role.id, holder);
    if (before && before.expiresAt?.getTime() === expiresAt?.getTime()) return 'held';
    const over = before?.expiresAt ? before.expiresAt <= now : false;
    if (before) {
      await store.updateAssignment(tx, before.id, { grantedBy, expiresAt, ...(over ? { createdAt: now } : {}) });
    } else {
      const id = newId(now.getTime());
      await store.insertAssignment(tx, { id, roleId: role.id, holder, grantedBy, createdAt: now, expiresAt });
    }
    const ends = expiresAt || before ? { expiresAt: expiresAt?.toISOString() ?? null } : {};
    await record(tx, 'role.assign', { holder, who, data: { role: name, ...ends } }, origin);
    return before && !over ? 'changed' : 'given';
  }

  async function roleAndHolder(tx: Tx, name: string, holder: store.Holder) {
    const role = await lockRole(tx, name);
    if (!role) throw roleNotFound();
    const who = isId(targetOf(holder).id) ? await store.lockHolder(tx, holder) : null;
    if (!who) throw holderNotFound();
    return { role, who };
  }

  async function record(
    tx: Tx,
    action: 'role.assign' | 'role.unassign',
    change: {
      holder: store.Holder;
      who: { name: string; clientId: string | undefined };
      data: Record<string, unknown>;
    },
    origin: ChangeBy,
  ): Promise<void> {
    const { holder, who, data } = change;
    const target = { ...targetOf(holder), name: who.name };
    await audit.in(tx, changeEvent(origin, { action, target, data }));
    // A team's role reaches every service account in it and below it.
    const stale = 'teamId' in holder ? '*' : who.clientId;
    if (stale !== undefined) await notifyOnCommit(tx, CLIENT_CHANGED, stale);
  }

  return {
    assertNotLastAdmin,
    assignIn,

    assign: (name, holder, origin, terms) =>
      db.tx(async (tx) => {
        if (!(await lockRole(tx, name))) throw roleUnknown();
        return await assignIn(tx, name, holder, origin, terms);
      }),

    assignTo: (name, text, origin, terms) =>
      db.tx(async (tx) => {
        const [holder, another] = await store.findHoldersByName(tx, text);
        if (!holder) throw holderUnknown();
        if (another) throw holderAmbiguous();
        return await assignIn(tx, name, holder, origin, terms);
      }),

    unassign: (name, holder, origin) =>
      db.tx(async (tx) => {
        const { role, who } = await roleAndHolder(tx, name, holder);
        if (name === ADMIN_ROLE && 'userId' in holder) await assertNotLastAdmin(tx, holder.userId);
        const removed = await store.deleteAssignment(tx, role.id, holder);
        if (removed) await record(tx, 'role.unassign', { holder, who, data: { role: name } }, origin);
        return removed;
      }),

    holdersOf: (roleId, after) => store.listHolders(db.prisma, roleId, decodeTimeCursor(after), clock.now()),

    async rolesOf(holder) {
      if (!isId(targetOf(holder).id)) return [];
      const held = await heldBy(db, holder, clock.now());
      return [...new Set(held.filter(({ expired }) => !expired).map(({ role }) => role))].sort();
    },

    heldBy: async (holder) => (isId(targetOf(holder).id) ? await heldBy(db, holder, clock.now()) : []),
  };
}

function targetOf(holder: store.Holder): { type: string; id: string } {
  if ('userId' in holder) return { type: 'user', id: holder.userId };
  if ('teamId' in holder) return { type: 'team', id: holder.teamId };
  return { type: 'service_account', id: holder.serviceAccountId };
}
