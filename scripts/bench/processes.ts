import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** Which cores a process may use, as taskset writes it (`0`, `0,1`); undefined: all. */
export type Core = string | undefined;

export interface Launched {
  name: string;
  pid: number;
  child: ChildProcess;
  /** Milliseconds from the start of the process until it answered. */
  readyMs: number;
  /** SIGTERM, and SIGKILL where that does not end it in time. Only this process, by its id. */
  stop(): Promise<void>;
}

const STOP_MS = 15_000;
const READY_MS = 60_000;

/** Cores that this process may use. */
export function cores(): number[] {
  if (process.platform !== 'linux') return [];
  const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

const TASKSET = ['/usr/bin/taskset', '/bin/taskset'].find((file) => existsSync(file));

/** Whether servers and load can be kept on cores of their own. */
export const canPin = TASKSET !== undefined && cores().length >= 2;

export async function pin(pid: number, core: Core): Promise<void> {
  if (!canPin || core === undefined || TASKSET === undefined) return;
  await once(spawn(TASKSET, ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' }), 'exit');
}

export interface LaunchOptions {
  name: string;
  args: string[];
  env?: Record<string, string>;
  core?: Core;
  /** Where its output goes. */
  logFile: string;
  /** Asked until it answers with 200. */
  ready?: string;
}

/** Starts a Node process and waits until it answers. Throws with the end of its output where it doesn't. */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const { name, args, core, logFile, ready } = options;
  const pinned = canPin && core !== undefined && TASKSET !== undefined;
  const command = pinned ? TASKSET : process.execPath;
  const output = openSync(logFile, 'a');
  const started = performance.now();
  const child = spawn(command, pinned ? ['-c', core, process.execPath, ...args] : args, {
    // Settings of the caller must not reach what is measured.
    env: { PATH: process.env.PATH ?? '', ...options.env },
    // By the channel they notice when this process is gone, also after kill -9, and end.
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} can't be started`);

  const ended = () => child.exitCode !== null || child.signalCode !== null;
  async function stop(): Promise<void> {
    if (ended()) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  }
  try {
    if (ready !== undefined) await answers(ready, ended, READY_MS);
  } catch (error) {
    await stop();
    const tail = readFileSync(logFile, 'utf8').slice(-2_000);
    throw new Error(`${name} does not start (${error instanceof Error ? error.message : error}):\n${tail}`);
  }
  return { name, pid, child, stop, readyMs: performance.now() - started };
}

async function answers(url: string, ended: () => boolean, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (performance.now() < deadline) {
    if (ended()) throw new Error('it ended');
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    if (status === 200) return;
    await wait(10);
  }
  throw new Error(`no answer in ${milliseconds / 1000} s`);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
