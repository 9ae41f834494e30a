import { setTimeout as wait } from 'node:timers/promises';
import { residentMib } from '../accounting.ts';
import { clientCredentials } from '../loads.ts';
import { emptyRow } from '../report.ts';
import { median, rounded } from '../statistics.ts';
import type { Measure } from './row.ts';

/** From the start of the process until /readyz answers, with a database that is there and filled. */
export const start: Measure = async ({ arena }, effort, name) => {
  const times: number[] = [];
  for (let run = 0; run < effort.starts; run += 1) {
    const server = await arena.product();
    times.push(server.readyMs);
    await server.stop();
  }
  return {
    ...emptyRow(name),
    p50_ms: rounded(median(times), 0),
    p99_ms: rounded(Math.max(...times), 0),
    spread: [rounded(Math.min(...times), 0), rounded(Math.max(...times), 0)],
    note: `${effort.starts} starts; p99 and spread are the slowest, and the quickest and the slowest, in milliseconds`,
  };
};

/** VmRSS of a process that nobody asks anything, and of the same one after it was loaded. */
export const idleMemory: Measure = async (stage, effort, name) => {
  const { arena } = stage;
  const server = await arena.product();
  try {
    await wait(effort.idle * 1000);
    const idle = residentMib(server.pid);
    const seconds = effort.slice * effort.rounds;
    const job = await clientCredentials()(stage, server);
    const { errors } = await arena.load(await job(seconds));
    const loaded = residentMib(server.pid);
    return {
      ...emptyRow(name),
      errors,
      rss_mib: idle ?? null,
      rss_loaded_mib: loaded ?? null,
      note: `after ${seconds.toFixed(1)} s of client_credentials at full load: ${loaded ?? '?'} MiB`,
    };
  } finally {
    await server.stop();
  }
};
