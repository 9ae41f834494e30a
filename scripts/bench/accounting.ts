import { readdirSync, readFileSync } from 'node:fs';

/** What the operating system says of processes (Linux); undefined where it says nothing. */
const supported = process.platform === 'linux';

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** A process and all that it started, directly or not. */
export function family(pid: number): number[] {
  if (!supported) return [pid];
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    // The name in parentheses may hold anything, blanks too.
    const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const member of found) found.push(...(children.get(member) ?? []));
  return found;
}

/** Process → microseconds on a core since its start, of a process and of what it started. */
export type CpuTimes = Map<number, number>;

export function cpuTimes(pid: number): CpuTimes | undefined {
  if (!supported) return undefined;
  const times: CpuTimes = new Map();
  for (const member of family(pid)) {
    let nanoseconds = 0;
    for (const task of tasks(member)) {
      nanoseconds += Number(read(`/proc/${member}/task/${task}/schedstat`)?.split(' ')[0] ?? 0);
    }
    times.set(member, nanoseconds / 1000);
  }
  return times;
}

/** Microseconds between the two, of those processes that were there at the end. */
export function cpuBetween(before: CpuTimes | undefined, after: CpuTimes | undefined): number | undefined {
  if (!before || !after) return undefined;
  let spent = 0;
  for (const [pid, time] of after) spent += Math.max(0, time - (before.get(pid) ?? 0));
  return spent;
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** MiB in memory (VmRSS) of the process and of what it started. */
export function residentMib(pid: number): number | undefined {
  if (!supported) return undefined;
  let kib = 0;
  for (const member of family(pid)) {
    kib += Number(/VmRSS:\s*(\d+) kB/.exec(read(`/proc/${member}/status`) ?? '')?.[1] ?? 0);
  }
  return Math.round((kib / 1024) * 10) / 10;
}
