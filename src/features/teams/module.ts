import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import { createMembers, type Members } from './members.ts';
import { createTeamTree, type TeamTree } from './service.ts';

/** People and services that belong together: they hold the roles of their team, and tokens name it as a group. */
export interface Teams extends TeamTree {
  members: Members;
}

export interface Needs {
  db: Database;
  audit: Audit;
  clock: Clock;
}

export function createTeams(needs: Needs): Teams {
  return { ...createTeamTree(needs), members: createMembers(needs) };
}
