import { residentMib } from './accounting.ts';
import type { Arena } from './arena.ts';
import type { Command } from './options.ts';
import { tokenRequest } from './stage.ts';
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

/** client_credentials at full load for minutes: memory over time, and errors. */
export async function runSoak(
  arena: Arena,
  command: Command & { verb: 'soak' },
  say: (text: string) => void,
): Promise<void> {
  const { minutes, workers, connections, json } = command;
  const server = await arena.product({ workers });
  const plan = { type: 'rotate' as const, requests: arena.data.services.slice(0, 100).map((one) => tokenRequest(one)) };
  const samples: Sample[] = [];
  const began = performance.now();
  for (let slice = 0; slice < (minutes * 60) / SLICE_SECONDS; slice += 1) {
    const result = await arena.load({
      kind: 'closed',
      origin: server.origin,
      connections,
      seconds: SLICE_SECONDS,
      plan,
    });
    const sample: Sample = {
      minute: Math.round((performance.now() - began) / 6_000) / 10,
      requests_per_s: Math.round(result.completed / result.seconds),
      p50_ms: result.p50,
      p99_ms: result.p99,
      errors: result.errors,
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
