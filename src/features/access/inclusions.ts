import type { Tx } from '../../platform/db/database.ts';
import { builtInStandsAlone, inclusionCycle, inclusionTooDeep, inclusionTooMany, unknownRole } from './errors.ts';
import * as store from './inclusion-store.ts';
import { depthOf, type Inclusions, reachOf, turnedRound, wayBetween } from './role-graph.ts';

/** Steps from a role down to the last one that it includes. */
const MOST_DEPTH = 10;
/** Roles that one role may include, at all depths together. */
const MOST_INCLUDED = 100;

/**
 * Makes the role include exactly these. Call it under lockInclusions(). False where it was so already.
 * @throws invalid_input on field `includes`
 */
export async function setInclusions(
  tx: Tx,
  role: { id: string; name: string; builtIn: boolean },
  names: readonly string[],
): Promise<boolean> {
  const wanted = new Set(names);
  const found = await store.rolesNamed(tx, [...wanted]);
  const known = new Set(found.map(({ name }) => name));
  for (const name of wanted) if (!known.has(name)) throw unknownRole(name);
  // Whoever could make a role that brings `admin` along, or hang rights on it by the way, would go round the last-admin rule.
  if (wanted.size > 0 && (role.builtIn || found.some(({ builtIn }) => builtIn))) throw builtInStandsAlone();

  const before = await store.allInclusions(tx);
  const had = before.get(role.name) ?? new Set<string>();
  if (had.size === wanted.size && [...wanted].every((name) => had.has(name))) return false;
  const after = new Map(before).set(role.name, wanted);
  assertSound(after, role.name);
  await store.replaceInclusions(
    tx,
    role.id,
    found.map(({ id }) => id),
  );
  await store.refreshReach(tx, await store.reachedFrom(tx, role.id));
  return true;
}

/** Everything that was sound before stays so unless this role's own inclusions break it. */
function assertSound(inclusions: Inclusions, role: string): void {
  for (const included of inclusions.get(role) ?? []) {
    const back = wayBetween(inclusions, included, role);
    if (back) throw inclusionCycle([role, ...back]);
  }
  const above = turnedRound(inclusions);
  if (depthOf(inclusions, role) + depthOf(above, role) > MOST_DEPTH) throw inclusionTooDeep(MOST_DEPTH);
  for (const name of [role, ...reachOf(above, role)]) {
    if (reachOf(inclusions, name).size > MOST_INCLUDED) throw inclusionTooMany(name, MOST_INCLUDED);
  }
}
