import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { spawnAs } from './account.ts';
import type { Cluster } from './cluster.ts';

const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

/** The port of the server that runs on the cluster, or undefined. Removes a lock file that a crash left behind. */
export function runningPort(cluster: Cluster): number | undefined {
  const file = path.join(cluster.pgdata, 'postmaster.pid');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (!isPostmaster(pid, cluster.pgdata)) {
    // After a reboot or in a new container the number may belong to any process; the server itself only sees that it
    // is alive, and would refuse to start.
    rmSync(file, { force: true });
    return undefined;
  }
  return Number(lines[3]) || undefined;
}

function isPostmaster(pid: number, pgdata: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    // "pid (comm) state …": a zombie is dead, whatever kill() says of it.
    const [, comm, state] = /\((.*)\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    if (comm !== 'postgres' || state === 'Z' || state === 'X') return false;
    // The postmaster works in its own data folder. Compared by inode: the path may have been moved.
    const cwd = statSync(`/proc/${pid}/cwd`);
    const data = statSync(pgdata);
    return cwd.dev === data.dev && cwd.ino === data.ino;
  } catch (error) {
    // A server of another user can't be looked into: it is left alone. ENOENT: it ended meanwhile.
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function pgCtl(cluster: Cluster, args: string[]): Promise<number> {
  const child = spawn(cluster.binaries.pgCtl, args, { ...spawnAs(cluster.account), stdio: 'ignore' });
  // Not 'close': the server inherits the streams and keeps them.
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** Starts the server and waits until it takes connections. False: it did not start (perhaps it runs already). */
export async function startServer(cluster: Cluster, port: number): Promise<boolean> {
  const size = statSync(cluster.logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) rmSync(cluster.logFile, { force: true });
  const { pgdata, logFile } = cluster;
  const code = await pgCtl(cluster, ['start', '-s', '-w', '-t', '60', '-D', pgdata, '-l', logFile, '-o', `-p ${port}`]);
  return code === 0;
}

/** Ends all connections, writes a checkpoint and waits until the server is gone. */
export async function stopServer(cluster: Cluster): Promise<void> {
  await pgCtl(cluster, ['stop', '-s', '-w', '-t', '60', '-m', 'fast', '-D', cluster.pgdata]);
}

/** The end of the server's own log, for a message. */
export function lastLogLines(cluster: Cluster, count = 3): string {
  try {
    return readFileSync(cluster.logFile, 'utf8').trim().split('\n').slice(-count).join(' | ');
  } catch {
    return 'it left no log';
  }
}
