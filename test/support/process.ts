import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { testEnvironment } from './postern.ts';

const root = join(import.meta.dirname, '../..');
const READY_SECONDS = 30;

/** Postern as it is started for real: a Node process of its own. */
export interface PosternProcess {
  /** Where this one listens; the issuer may be another's address. */
  url: string;
  pid: number;
  /** What it printed and logged. */
  output(): string;
  /** Sends the signal and waits for the end; resolves to the exit status, null after a kill. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

async function startOne(port: number, env: NodeJS.ProcessEnv): Promise<PosternProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts', 'serve'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const url = `http://localhost:${port}`;
  const ready = async (): Promise<boolean> => {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  };
  const deadline = performance.now() + READY_SECONDS * 1000;
  while (!(await ready())) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`Postern did not become ready: ${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const [code] = await ended;
      return code;
    },
  };
}

/** Processes of one installation: the same database, master key and issuer (the first one's address). */
export async function startProcesses(
  count: number,
  databaseUrl: string,
  extra: NodeJS.ProcessEnv = {},
): Promise<PosternProcess[]> {
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const hosts = ports.map((port) => `localhost:${port}`);
  const results = await Promise.allSettled(
    ports.map((port) =>
      startOne(port, {
        ...testEnvironment(databaseUrl),
        PORT: String(port),
        POSTERN_ISSUER: `http://${hosts[0]}`,
        POSTERN_ALLOWED_HOSTS: hosts.join(','),
        POSTERN_LOG_LEVEL: 'warn',
        ...extra,
      }),
    ),
  );
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await Promise.all(started.map((one) => one.stop('SIGKILL')));
    throw failed.reason;
  }
  return started;
}
