import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../observe/log.ts';

export interface WorkersOptions {
  count: number;
  /** Environment of the worker in a slot (0 …), beside our own. */
  env(slot: number): Record<string, string>;
  /** The first worker that is ready, with what it said. The others start after it. */
  onReady(message: unknown): void;
  stop: AbortSignal;
  log: Log;
}

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;
/** A worker that lived this long has earned a quick restart. */
const HEALTHY_MS = 60_000;
const DRAIN_MS = 25_000;

/**
 * Keeps `count` copies of this program running behind one port until `stop`, then lets them drain. A worker says that it
 * serves by process.send. Resolves to the exit status: 0, or that of a first worker which never came up.
 */
export async function superviseWorkers({ count, env, onReady, stop, log }: WorkersOptions): Promise<number> {
  let ready = false;
  let status = 0;

  async function keep(slot: number, onUp?: () => void): Promise<void> {
    let delay = FIRST_DELAY_MS;
    while (!stop.aborted && status === 0) {
      const startedAt = Date.now();
      const worker = cluster.fork(env(slot));
      worker.once('message', (message: unknown) => {
        if (!ready) onReady(message);
        ready = true;
        onUp?.();
      });
      const [code, signal] = await ended(worker, stop);
      if (stop.aborted) return;
      if (!ready) {
        // It has said why. What stops the very first one stops all.
        status = code || 1;
        onUp?.();
        return;
      }
      if (Date.now() - startedAt > HEALTHY_MS) delay = FIRST_DELAY_MS;
      log.error({ slot, exitCode: code, signal, retryInMs: delay }, 'a worker ended; starting another');
      await wait(delay, undefined, { signal: stop }).catch(() => undefined);
      delay = Math.min(delay * 2, LAST_DELAY_MS);
    }
  }

  // The first makes what a new installation needs (migrations, keys); together they would race for it.
  const slots: Promise<void>[] = [];
  await new Promise<void>((resolve) => {
    slots.push(keep(0, resolve).finally(resolve));
  });
  if (ready) for (let slot = 1; slot < count; slot += 1) slots.push(keep(slot));
  await Promise.all(slots);
  return status;
}

/** Waits until the worker is gone; on `stop` it is asked to drain, and killed when that takes too long. */
async function ended(worker: Worker, stop: AbortSignal): Promise<[number | null, string | null]> {
  let late: NodeJS.Timeout | undefined;
  const drain = () => {
    worker.process.kill('SIGTERM');
    late = setTimeout(() => worker.process.kill('SIGKILL'), DRAIN_MS);
  };
  if (stop.aborted) drain();
  stop.addEventListener('abort', drain, { once: true });
  try {
    return (await once(worker, 'exit')) as [number | null, string | null];
  } finally {
    stop.removeEventListener('abort', drain);
    clearTimeout(late);
  }
}
