import { residentMib } from './accounting.ts';
import type { Arena, Server } from './arena.ts';
import { clientCredentials, introspectJwt, refresh, signingIn } from './loads.ts';
import type { Contestant } from './measure.ts';
import type { Command } from './options.ts';
import { createStage } from './stage.ts';
import { median, rounded } from './statistics.ts';

const SLICE_SECONDS = 10;
/** Memory of the last third may lie this far above that of the middle third and still count as flat. */
const FLAT = 1.1;

interface Sample {
  minute: number;
  requests_per_s: number;
  p50_ms: number;
  p99_ms: number;
  errors: number;
  rss_mib: number | null;
}

const CLIENTS = 100;

/**
 * client_credentials; mixed, also what else an installation is asked for all day, at the same time. People sign in last:
 * what the other loads need of them is there by then, and a code of an authenticator works once.
 */
async function loadsOf(
  arena: Arena,
  server: Server,
  { connections, mixed }: { connections: number; mixed: boolean },
): Promise<[name: string, job: Contestant['job']][]> {
  const stage = createStage(arena);
  const tokens = await clientCredentials({ connections, clients: CLIENTS })(stage, server);
  if (!mixed) return [['load', tokens]];
  return [
    ['load', tokens],
    ['introspection', await introspectJwt(stage, server)],
    ['refresh', await refresh(stage, server)],
    ['sign-in', await signingIn(stage, server)],
  ];
}

/** Full load for minutes: memory over time, and errors. Times are those of client_credentials. */
export async function runSoak(
  arena: Arena,
  command: Command & { verb: 'soak' },
  say: (text: string) => void,
): Promise<void> {
  const { minutes, workers, connections, mixed, json } = command;
  const server = await arena.product({ workers });
  const loads = await loadsOf(arena, server, { connections, mixed });
  const samples: Sample[] = [];
  const began = performance.now();
  for (let slice = 0; slice < (minutes * 60) / SLICE_SECONDS; slice += 1) {
    const jobs = [];
    for (const [name, make] of loads) jobs.push([name, await make(SLICE_SECONDS)] as const);
    const results = await Promise.all(jobs.map(([name, job]) => arena.load(job, name)));
    const [tokens] = results;
    const sample: Sample = {
      minute: Math.round((performance.now() - began) / 6_000) / 10,
      requests_per_s: Math.round(results.reduce((sum, { completed, seconds }) => sum + completed / seconds, 0)),
      p50_ms: tokens?.p50 ?? 0,
      p99_ms: tokens?.p99 ?? 0,
      errors: results.reduce((sum, { errors }) => sum + errors, 0),
      rss_mib: residentMib(server.pid) ?? null,
    };
    samples.push(sample);
    say(
      `${sample.minute} min: ${sample.requests_per_s}/s, p99 ${sample.p99_ms} ms, ${sample.errors} errors, ${sample.rss_mib} MiB`,
    );
  }
  const memory = samples.map((sample) => sample.rss_mib ?? Number.NaN);
  const third = Math.floor(memory.length / 3);
  const middle = median(memory.slice(third, 2 * third));
  const last = median(memory.slice(-Math.max(1, third)));
  const summary = {
    minutes,
    workers,
    connections,
    mixed,
    requests: samples.reduce((sum, sample) => sum + sample.requests_per_s * SLICE_SECONDS, 0),
    errors: samples.reduce((sum, { errors }) => sum + errors, 0),
    p99_ms: rounded(median(samples.map((sample) => sample.p99_ms)), 1),
    rss_mib: { first: memory[0], middle_third: middle, last_third: last, most: Math.max(...memory) },
    flat: last <= middle * FLAT,
    samples,
  };
  if (json) console.log(JSON.stringify(summary, null, 2));
  else {
    console.log(
      `${summary.requests} requests in ${minutes} min, ${summary.errors} errors, p99 ${summary.p99_ms} ms; ` +
        `memory ${memory[0]} → ${middle} → ${last} MiB (first, middle third, last third; ` +
        `most ${summary.rss_mib.most}): ${summary.flat ? 'flat' : 'it grows'}`,
    );
  }
  if (summary.errors > 0 || !summary.flat) process.exitCode = 1;
}
