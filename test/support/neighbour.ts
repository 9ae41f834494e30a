import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Postern, testEnvironment } from './postern.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** A process of its own beside `postern`, on the same database. Its time is the real one. */
export interface Neighbour {
  url: string;
  /** Everything that it printed. */
  output(): string;
  stop(): Promise<void>;
}

export async function startNeighbour(postern: Pick<Postern, 'databaseUrl'>): Promise<Neighbour> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env: { PATH: process.env.PATH, ...testEnvironment(postern.databaseUrl) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ended = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        const ready = /^Postern is ready at (\S+)$/.exec(line)?.[1];
        if (ready) resolve(ready);
      });
    }
    void ended.then(([code]) => reject(new Error(`it ended with ${code}:\n${lines.join('\n')}`)));
  });
  return {
    url,
    output: () => lines.join('\n'),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
