import { setTimeout as wait } from 'node:timers/promises';
import { type CpuTimes, cpuBetween, cpuTimes, residentMib } from './accounting.ts';
import type { Arena, Server } from './arena.ts';
import type { Job, LoadResult } from './load/job.ts';
import type { Effort } from './options.ts';
import { shuffled } from './statistics.ts';

/** One of those that take turns. */
export interface Contestant {
  /** product, bare, floor, or what a row calls its own. */
  name: string;
  server: Server;
  /** The load of one slice; what it needs (fresh codes, say) is made before anything is counted. */
  job(seconds: number): Job | Promise<Job>;
}

export interface Slice extends LoadResult {
  perSecond: number;
  /** Microseconds on a core for each request; undefined where the system does not say. */
  cpu: number | undefined;
  /** The same of PostgreSQL, while this contestant ran. */
  databaseCpu: number | undefined;
  rssMib: number | undefined;
}

export interface Measured {
  /** Contestant → its slices, by round. */
  slices: Map<string, Slice[]>;
  /** Slices that were thrown away because the machine was busy with something else. */
  voided: number;
}

/** A server that does nothing answers within this, unless the machine is busy with something else. */
const QUIET_P99_MS = 50;
const GUARD_CONNECTIONS = 16;

async function sliceOf(arena: Arena, contestant: Contestant, seconds: number): Promise<Slice> {
  const { server } = contestant;
  const job = await contestant.job(seconds);
  const before = cpuTimes(server.pid);
  const databaseBefore = cpuTimes(arena.databasePid);
  const result = await arena.load(job);
  const after = cpuTimes(server.pid);
  const databaseAfter = cpuTimes(arena.databasePid);
  const each = (from: CpuTimes | undefined, to: CpuTimes | undefined) => {
    const spent = cpuBetween(from, to);
    return spent === undefined || result.completed === 0 ? undefined : spent / result.completed;
  };
  return {
    ...result,
    perSecond: result.completed / Math.max(result.seconds, 0.001),
    cpu: each(before, after),
    databaseCpu: each(databaseBefore, databaseAfter),
    rssMib: residentMib(server.pid),
  };
}

/** Whether the machine is quiet: how long a bare server takes for nothing. */
async function isQuiet(arena: Arena, floor: Server, seconds: number): Promise<boolean> {
  const { p99 } = await arena.load({
    kind: 'closed',
    origin: floor.origin,
    connections: GUARD_CONNECTIONS,
    seconds,
    plan: { type: 'rotate', requests: [{ method: 'GET', path: '/nothing', headers: {} }] },
  });
  return p99 <= QUIET_P99_MS;
}

/** Warms everybody up, then lets them take turns, in another order each round. */
export async function measure(
  arena: Arena,
  floor: Server,
  contestants: Contestant[],
  effort: Pick<Effort, 'rounds' | 'slice' | 'warmUp' | 'most'>,
): Promise<Measured> {
  const slices = new Map<string, Slice[]>(contestants.map(({ name }) => [name, []]));
  const until = performance.now() + effort.most * 1000;
  let voided = 0;
  for (const contestant of contestants) await arena.load(await contestant.job(effort.warmUp));
  for (let round = 0; round < effort.rounds; round += 1) {
    if (round > 0 && performance.now() > until) break;
    for (const contestant of shuffled(contestants)) {
      for (;;) {
        const slice = await sliceOf(arena, contestant, effort.slice);
        const quiet = await isQuiet(arena, floor, Math.min(0.2, effort.slice / 4));
        if (quiet || voided >= effort.rounds || performance.now() > until) {
          slices.get(contestant.name)?.push(slice);
          break;
        }
        voided += 1;
        await wait(500);
      }
    }
  }
  return { slices, voided };
}
