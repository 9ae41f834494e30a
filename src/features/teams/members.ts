import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { managerUnknown, memberUnknown, teamNotFound } from './errors.ts';
import * as store from './member-store.ts';
import { lockTeam, type TeamName } from './store.ts';

/** Who belongs to a team, and who answers for it. `id` is the team's. @throws teams.not_found */
export interface Members {
  /**
   * A person by e-mail address, or a service account by client_id or name. False where it is a member already.
   * @throws invalid_input on field `member`
   */
  add(id: string, text: string, origin: ChangeBy): Promise<boolean>;
  /** `memberId`: of the membership. Answers what the member is called. */
  remove(id: string, memberId: string, origin: ChangeBy): Promise<string>;
  /** A person by e-mail address. False where it is one already. @throws invalid_input on field `manager` */
  addManager(id: string, email: string, origin: ChangeBy): Promise<boolean>;
  removeManager(id: string, userId: string, origin: ChangeBy): Promise<string>;
  /** Newest first. */
  list(id: string, after?: string): Promise<Page<store.MemberView>>;
  /** With the teams above: what stands in tokens as groups. */
  teamsOf(member: store.Member): Promise<store.TeamOf[]>;
}

export function createMembers({ db, audit, clock }: { db: Database; audit: Audit; clock: Clock }): Members {
  const locked = async (tx: Tx, id: string): Promise<TeamName> => {
    const team = isId(id) ? await lockTeam(tx, id) : null;
    if (!team) throw teamNotFound();
    return team;
  };

  type Action = 'team.add_member' | 'team.remove_member' | 'team.add_manager' | 'team.remove_manager';

  async function record(tx: Tx, action: Action, team: TeamName, data: Record<string, unknown>, origin: ChangeBy) {
    const target = { type: 'team', id: team.id, name: team.name };
    await audit.in(tx, changeEvent(origin, { action, target, data }));
  }

  async function changed({ clientId }: store.NamedMember, tx: Tx): Promise<void> {
    if (clientId !== undefined) await notifyOnCommit(tx, CLIENT_CHANGED, clientId);
  }

  return {
    add: (id, text, origin) =>
      db.tx(async (tx) => {
        const team = await locked(tx, id);
        const found = await store.findMemberByName(tx, text);
        if (!found) throw memberUnknown();
        const at = clock.now();
        const addedBy = origin.by.id ?? origin.by.type;
        const row = { id: newId(at.getTime()), teamId: team.id, member: found.member, addedBy, createdAt: at };
        if (!(await store.insertMember(tx, row))) return false;
        await record(tx, 'team.add_member', team, { ...found.member, name: found.name }, origin);
        await changed(found, tx);
        return true;
      }),

    remove: (id, memberId, origin) =>
      db.tx(async (tx) => {
        const team = await locked(tx, id);
        const removed = isId(memberId) ? await store.deleteMember(tx, id, memberId) : null;
        if (!removed) throw teamNotFound();
        await record(tx, 'team.remove_member', team, { ...removed.member, name: removed.name }, origin);
        await changed(removed, tx);
        return removed.name;
      }),

    addManager: (id, email, origin) =>
      db.tx(async (tx) => {
        const team = await locked(tx, id);
        const person = await store.findPerson(tx, email);
        if (!person) throw managerUnknown();
        if (!(await store.insertManager(tx, team.id, person.id, clock.now()))) return false;
        await record(tx, 'team.add_manager', team, { userId: person.id, name: person.name }, origin);
        return true;
      }),

    removeManager: (id, userId, origin) =>
      db.tx(async (tx) => {
        const team = await locked(tx, id);
        const name = isId(userId) ? await store.deleteManager(tx, id, userId) : null;
        if (name === null) throw teamNotFound();
        await record(tx, 'team.remove_manager', team, { userId, name }, origin);
        return name;
      }),

    list: (id, after) => store.listMembers(db.prisma, id, decodeTimeCursor(after)),

    async teamsOf(member) {
      const id = 'userId' in member ? member.userId : member.serviceAccountId;
      return isId(id) ? await store.teamsOf(db, member) : [];
    },
  };
}
