/** Which roles each role includes by itself, by name. */
export type Inclusions = ReadonlyMap<string, ReadonlySet<string>>;

const NONE: ReadonlySet<string> = new Set();

/** The shortest way from one role to another by inclusion, with both ends; undefined where there is none. */
export function wayBetween(inclusions: Inclusions, from: string, to: string): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  const queue = [from];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next === to) {
      const way: string[] = [];
      for (let step: string | undefined = to; step !== undefined; step = cameFrom.get(step)) way.unshift(step);
      return way;
    }
    for (const included of inclusions.get(next) ?? NONE) {
      if (cameFrom.has(included)) continue;
      cameFrom.set(included, next);
      queue.push(included);
    }
  }
  return undefined;
}

/** All that a role includes, at any depth, without itself. */
export function reachOf(inclusions: Inclusions, role: string): Set<string> {
  const reached = new Set<string>();
  const queue = [role];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const included of inclusions.get(next) ?? NONE) {
      if (reached.has(included)) continue;
      reached.add(included);
      queue.push(included);
    }
  }
  return reached;
}

/** Steps of the longest chain that begins at a role. Only for inclusions without a cycle. */
export function depthOf(inclusions: Inclusions, role: string, known = new Map<string, number>()): number {
  const before = known.get(role);
  if (before !== undefined) return before;
  let depth = 0;
  for (const included of inclusions.get(role) ?? NONE) {
    depth = Math.max(depth, 1 + depthOf(inclusions, included, known));
  }
  known.set(role, depth);
  return depth;
}

/** The same arrows turned round: by which roles each role is included. */
export function turnedRound(inclusions: Inclusions): Inclusions {
  const turned = new Map<string, Set<string>>();
  for (const [role, included] of inclusions) {
    for (const name of included) {
      const by = turned.get(name) ?? new Set();
      turned.set(name, by.add(role));
    }
  }
  return turned;
}
