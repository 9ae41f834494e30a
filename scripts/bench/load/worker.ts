// The load comes from this process, so that what it costs is not counted as the servers'.
import { runClosed } from './closed-loop.ts';
import type { Job, LoadResult } from './job.ts';
import { runOpen } from './open-loop.ts';
import { runSignIn } from './sign-in.ts';

export interface Answer {
  id: number;
  result?: LoadResult;
  error?: string;
}

function run(job: Job): Promise<LoadResult> {
  if (job.kind === 'closed') return runClosed(job);
  return job.kind === 'open' ? runOpen(job) : runSignIn(job);
}

process.on('message', async ({ id, job }: { id: number; job: Job }) => {
  let answer: Answer;
  try {
    answer = { id, result: await run(job) };
  } catch (error) {
    answer = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(answer);
});
process.on('disconnect', () => process.exit(0));
