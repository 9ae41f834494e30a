import type { Arena } from './arena.ts';
import type { OpenDetails, OpenJob } from './load/job.ts';
import { CONNECTIONS } from './loads.ts';
import type { Command } from './options.ts';
import { tokenRequest } from './stage.ts';
import { median, rounded } from './statistics.ts';

/** So many clients that no limit of a single one is met. */
const CLIENTS = 100;
const WARM_UP_SECONDS = 3;
/** The most of so many slices: a machine that was busy with something else must not make the flood a small one. */
const CAPACITY = { slices: 5, seconds: 2 };
const FLOOD = 2;
/** Far below what the server can carry, in slices so short that recovery is seen when it happens. */
const LIGHT = { connections: 16, rate: 100, seconds: 0.5 };
const CALM_SLICES = 6;
/** A slice is as before when its p99 is at most so many times the normal one, or so many milliseconds above it. */
const NORMAL = { times: 2, ms: 20 };
const RECOVERY_SECONDS = 5;
/** Where it does not recover, one slice after the other is tried for so long. */
const PATIENCE_SECONDS = 30;

/**
 * Twice as many token requests as the server can answer, for some seconds: what it answers, how soon, and how long after
 * the flood a light load is served as before. Fails when an answer is lost, a refusal is none of 503 with Retry-After, or
 * recovery takes longer than five seconds.
 */
export async function runOverload(
  arena: Arena,
  command: Command & { verb: 'overload' },
  say: (text: string) => void,
): Promise<void> {
  const { seconds, connections, workers, json } = command;
  const { origin } = await arena.product({ workers });
  const requests = arena.data.services.slice(0, CLIENTS).map((service) => tokenRequest(service));
  const closed = (time: number) =>
    arena.load({
      kind: 'closed',
      origin,
      connections: CONNECTIONS,
      seconds: time,
      plan: { type: 'rotate', requests },
    });
  const light = () => arena.load({ kind: 'open', origin, ...LIGHT, requests });

  await closed(WARM_UP_SECONDS);
  let capacity = 0;
  for (let slice = 0; slice < CAPACITY.slices; slice += 1) {
    const measured = await closed(CAPACITY.seconds);
    capacity = Math.max(capacity, Math.round(measured.completed / measured.seconds));
  }
  const calm: number[] = [];
  while (calm.length < CALM_SLICES) calm.push((await light()).p99);
  const normal = median(calm);
  say(`capacity ${capacity}/s; p99 of a light load ${rounded(normal, 1)} ms`);

  const flood: OpenJob = { kind: 'open', origin, connections, rate: capacity * FLOOD, seconds, ramp: 1, requests };
  const { open = missing() } = await arena.load(flood);
  const ended = performance.now() - open.lastAnswerMs;
  const after: number[] = [];
  let recovered: number | undefined;
  while (recovered === undefined && performance.now() < ended + PATIENCE_SECONDS * 1000) {
    const began = performance.now();
    const { p99, errors } = await light();
    after.push(p99);
    if (errors === 0 && p99 <= Math.max(normal * NORMAL.times, normal + NORMAL.ms)) recovered = (began - ended) / 1000;
  }

  const refused = Object.keys(open.byStatus).filter((status) => status !== '200' && status !== '503');
  const failures = [
    open.lost > 0 ? `${open.lost} requests without an answer` : undefined,
    refused.length > 0 ? `answers with ${refused.join(', ')}` : undefined,
    open.withoutRetryAfter > 0 ? `${open.withoutRetryAfter} times 503 without Retry-After` : undefined,
    recovered === undefined || recovered > RECOVERY_SECONDS ? `not as before ${RECOVERY_SECONDS} s later` : undefined,
  ].filter((failure) => failure !== undefined);
  const summary = {
    workers,
    connections,
    seconds,
    capacity_per_s: capacity,
    sent_per_s: flood.rate,
    answers: open.byStatus,
    lost: open.lost,
    without_retry_after: open.withoutRetryAfter,
    last_answer_after_ms: rounded(open.lastAnswerMs, 0),
    normal_p99_ms: rounded(normal, 1),
    p99_ms_afterwards: after,
    recovered_after_s: rounded(recovered, 2),
    failures,
  };
  console.log(json ? JSON.stringify(summary, null, 2) : tell(summary));
  if (failures.length > 0) process.exitCode = 1;
}

function missing(): OpenDetails {
  throw new Error('the flood told nothing');
}

function tell(summary: {
  sent_per_s: number;
  connections: number;
  seconds: number;
  answers: OpenDetails['byStatus'];
  lost: number;
  last_answer_after_ms: number | null;
  normal_p99_ms: number | null;
  recovered_after_s: number | null;
  failures: string[];
}): string {
  const { answers, connections, failures, lost, seconds, sent_per_s } = summary;
  return [
    `${sent_per_s} requests a second over ${connections} connections for ${seconds} s`,
    ...Object.entries(answers).map(
      ([status, { count, p50, p99 }]) => `${status}: ${count}, p50 ${p50} ms, p99 ${p99} ms`,
    ),
    `${lost} without an answer; the last answer came ${summary.last_answer_after_ms} ms after the last request`,
    `p99 of a light load: ${summary.normal_p99_ms} ms before, and again ${summary.recovered_after_s ?? '?'} s after the flood`,
    failures.length === 0 ? 'as it should be' : `FAILED: ${failures.join('; ')}`,
  ].join('\n');
}
