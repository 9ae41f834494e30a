import { randomToken } from '../../kernel/ids.ts';
import type { Database } from '../db/database.ts';
import type { Log } from '../observe/log.ts';
import { createLeases } from './lease.ts';

export type Work = (signal: AbortSignal) => Promise<unknown>;

export interface Jobs {
  /**
   * Runs `work` about every so many seconds, in one process of all that share the database. `work` ends early when the
   * signal says so: at stop(), or when the lease was lost and another process may start the same. Its errors are logged.
   */
  every(name: string, seconds: number, work: Work): void;
  start(): void;
  /** Resolves when nothing runs any more. */
  stop(): Promise<void>;
}

/** A process that dies in its work keeps others off for this long at most. */
const LEASE_SECONDS = 60;

interface Job {
  name: string;
  seconds: number;
  work: Work;
}

export function createJobs({ db, log }: { db: Database; log: Log }): Jobs {
  const leases = createLeases(db, randomToken(12));
  const stopping = new AbortController();
  const jobs: Job[] = [];
  const timers = new Map<Job, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();

  async function work({ name, seconds, work: run }: Job): Promise<void> {
    if (!(await leases.take(name, LEASE_SECONDS))) return;
    const lost = new AbortController();
    const renewal = setInterval(() => {
      leases.take(name, LEASE_SECONDS).then(
        (kept) => kept || lost.abort(),
        () => lost.abort(),
      );
    }, LEASE_SECONDS * 333);
    renewal.unref();
    const started = performance.now();
    try {
      await run(AbortSignal.any([stopping.signal, lost.signal]));
    } finally {
      clearInterval(renewal);
      // What is left of the interval stays taken, or every process would do the same work in turn.
      const rest = stopping.signal.aborted ? 0 : seconds * 0.9 - (performance.now() - started) / 1000;
      await leases.leave(name, Math.max(0, rest));
    }
  }

  function schedule(job: Job, seconds: number): void {
    if (stopping.signal.aborted) return;
    const timer = setTimeout(() => {
      const run = work(job)
        .catch((error: unknown) => log.error({ err: error, job: job.name }, 'a job failed; it runs again in its turn'))
        .finally(() => {
          running.delete(run);
          schedule(job, job.seconds);
        });
      running.add(run);
    }, seconds * 1000);
    timer.unref();
    timers.set(job, timer);
  }

  return {
    every(name, seconds, run) {
      jobs.push({ name, seconds, work: run });
    },

    start() {
      // Not all at once, and not while the start itself needs the database.
      for (const job of jobs) schedule(job, Math.min(job.seconds, 2 + Math.random() * 8));
    },

    async stop() {
      stopping.abort();
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.allSettled(running);
    },
  };
}
