import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bytesOf, type ClosedJob, type LoadResult } from './job.ts';

/** Answers that take longer count as lost. */
const TIMEOUT_SECONDS = 20;
const SCRIPT = path.join(import.meta.dirname, 'rotate.lua');

/** wrk takes a tenth of autocannon's CPU for each request, and so leaves the core to PostgreSQL. Not every machine has it. */
const WRK = (process.env.PATH ?? '')
  .split(path.delimiter)
  .map((folder) => path.join(folder, 'wrk'))
  .find((file) => existsSync(file));

/** What rotate.lua tells. */
interface Told {
  answers: number;
  microseconds: number;
  /** Answers with a status of 400 and above; wrk counts them as one. */
  refused: number;
  lost: number;
  p50: number;
  p99: number;
}

/** Whether wrk is there and can make this load: it knows whole seconds, and looks into no answer. */
export function canUseWrk({ plan, seconds }: ClosedJob): boolean {
  return WRK !== undefined && plan.type === 'rotate' && plan.keep === undefined && Number.isInteger(seconds);
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill();
});

function run(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(WRK ?? 'wrk', args, (error, stdout, stderr) => {
      running.delete(child);
      if (error) reject(new Error(`wrk: ${stderr || error.message}`));
      else resolve(stdout);
    });
    running.add(child);
  });
}

/**
 * The closed loop of a `rotate` plan. wrk fills its histogram up by requests that a connection would have sent while it
 * waited for longer than twice the mean (a correction of coordinated omission): its p99 is never below autocannon's.
 */
export async function runWrk({ origin, connections, seconds = 1, ramp = 0, plan }: ClosedJob): Promise<LoadResult> {
  if (plan.type !== 'rotate') throw new Error(`wrk can't send ${plan.type}`);
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-wrk-'));
  try {
    const file = path.join(folder, 'requests');
    const { host } = new URL(origin);
    const requests = plan.requests.flatMap((template) => [bytesOf(template, host), Buffer.from([0])]);
    writeFileSync(file, Buffer.concat(requests), { mode: 0o600 });
    const output = await run([
      ...['--threads', '1', '--connections', String(connections), '--duration', `${seconds + ramp}s`],
      ...['--timeout', `${TIMEOUT_SECONDS}s`, '--script', SCRIPT, origin],
      ...['--', file, String(connections), String(ramp * 1000)],
    ]);
    const { answers, microseconds, refused, lost, p50, p99 }: Told = JSON.parse(
      output.slice(output.lastIndexOf('\n{')),
    );
    return {
      tool: 'wrk',
      completed: answers,
      seconds: microseconds / 1_000_000 - ramp,
      errors: refused + lost,
      p50,
      p99,
      statuses: { 'below 400': answers - refused, '400 and above': refused },
      kept: [],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
