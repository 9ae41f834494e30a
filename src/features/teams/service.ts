import { check } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import {
  hasChildren,
  ownerUnknown,
  ownsAccounts,
  parentBelow,
  parentUnknown,
  teamNameTaken,
  teamNotFound,
  tooDeep,
} from './errors.ts';
import { type TeamInput, teamInput } from './schema.ts';
import * as store from './store.ts';

/** Levels of teams, from the top one down. */
const MOST_LEVELS = 10;

/** Teams and which of them stands under which. A team has the roles of the teams above it. */
export interface TeamTree {
  /** @throws invalid_input */
  create(input: TeamInput, origin: ChangeBy): Promise<{ id: string; name: string }>;
  /** `search`: part of a name or description. */
  list(filter: { search?: string | undefined; after?: string | undefined }): Promise<Page<store.TeamListItem>>;
  byId(id: string): Promise<store.TeamView | null>;
  /** By id or name: what a person at a command line has at hand. */
  find(text: string): Promise<string | null>;
  /** @throws invalid_input, teams.not_found */
  update(id: string, input: TeamInput, origin: ChangeBy): Promise<void>;
  /** Its members stay, without it. @throws teams.not_found, teams.has_children, teams.owns_accounts */
  remove(id: string, origin: ChangeBy): Promise<store.TeamName>;
  /** Of the team with this name, which stays there until the transaction ends. @throws invalid_input on field `owner` */
  ownerId(tx: Tx, name: string): Promise<string>;
}

export function createTeamTree({ db, audit, clock }: { db: Database; audit: Audit; clock: Clock }): TeamTree {
  type Action = 'team.create' | 'team.update' | 'team.delete';

  async function record(tx: Tx, action: Action, team: store.TeamName, data: Record<string, unknown>, origin: ChangeBy) {
    const target = { type: 'team', id: team.id, name: team.name };
    await audit.in(tx, changeEvent(origin, { action, target, data }));
  }

  async function parentId(tx: Tx, name: string): Promise<string | null> {
    if (name === '') return null;
    const parent = await store.keepTeamNamed(tx, name);
    if (!parent) throw parentUnknown(name);
    return parent.id;
  }

  /** `depth`: levels below the team that is to stand under `parent`. */
  async function assertFits(tx: Tx, parent: string | null, depth: number, below?: string): Promise<void> {
    const above = parent === null ? [] : await store.wayDownTo(tx, parent);
    const at = above.findIndex(({ id }) => id === below);
    if (at !== -1) throw parentBelow(above.slice(at).map(({ name }) => name));
    if (above.length + 1 + depth > MOST_LEVELS) throw tooDeep(MOST_LEVELS);
  }

  return {
    async create(input, origin) {
      const { name, description, parent } = check(teamInput, input);
      const at = clock.now();
      const id = newId(at.getTime());
      await unique(() =>
        db.tx(async (tx) => {
          await store.lockTree(tx);
          const under = await parentId(tx, parent);
          await assertFits(tx, under, 0);
          await store.insertTeam(tx, id, { name, description, parentId: under, at });
          await record(tx, 'team.create', { id, name }, { description, parent: parent || null }, origin);
        }),
      );
      return { id, name };
    },

    list: ({ search, after }) =>
      store.listTeams(db, {
        search: search?.trim().slice(0, 200) || undefined,
        after: decodeTimeCursor(after),
        now: clock.now(),
      }),

    byId: async (id) => (isId(id) ? await store.findTeam(db.prisma, id) : null),

    find: async (text) =>
      (isId(text) ? await store.findTeamId(db.prisma, { id: text }) : null) ??
      (await store.findTeamId(db.prisma, { name: text })),

    async update(id, input, origin) {
      const { name, description, parent } = check(teamInput, input);
      await unique(() =>
        db.tx(async (tx) => {
          await store.lockTree(tx);
          const team = isId(id) ? await store.lockTeam(tx, id) : null;
          if (!team) throw teamNotFound();
          const under = await parentId(tx, parent);
          const { ids, depth } = await store.subtreeOf(tx, id);
          await assertFits(tx, under, depth, team.id);
          await store.updateTeam(tx, id, { name, description, parentId: under, at: clock.now() });
          await store.refreshReach(tx, ids);
          const renamed = name === team.name ? {} : { name, formerName: team.name };
          await record(tx, 'team.update', { id, name }, { description, parent: parent || null, ...renamed }, origin);
          await notifyOnCommit(tx, CLIENT_CHANGED, '*');
        }),
      );
    },

    remove: (id, origin) =>
      db.tx(async (tx) => {
        await store.lockTree(tx);
        const team = isId(id) ? await store.lockTeam(tx, id) : null;
        if (!team) throw teamNotFound();
        const [children, owned] = [await store.namesOfChildren(tx, id), await store.namesOfOwned(tx, id)];
        if (children.length > 0) throw hasChildren(children);
        if (owned.length > 0) throw ownsAccounts(owned);
        await store.deleteTeam(tx, id);
        await record(tx, 'team.delete', team, {}, origin);
        await notifyOnCommit(tx, CLIENT_CHANGED, '*');
        return team;
      }),

    async ownerId(tx, name) {
      const team = await store.keepTeamNamed(tx, name);
      if (!team) throw ownerUnknown(name);
      return team.id;
    },
  };
}

/** The unique index decides, so that two requests at once can't both win. */
async function unique<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (store.isUniqueViolation(error)) throw teamNameTaken();
    throw error;
  }
}
