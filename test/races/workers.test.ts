import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { until } from '../support/until.ts';

const WORKERS = 2;
const WAIT_MS = 10_000;
const CALLERS = 20;

let maker: Postern;
let supervisor: PosternProcess;
let service: Service;

beforeAll(async () => {
  maker = await startPostern();
  service = await createService(maker, [`${await createApi(maker, ['read'])}#read`]);
  const [started] = await startProcesses(1, maker.databaseUrl, { POSTERN_WORKERS: String(WORKERS) });
  if (!started) throw new Error('one was asked for');
  supervisor = started;
  await until(async () => listening() === WORKERS, 20);
});
afterAll(async () => {
  await supervisor.stop('SIGKILL');
  await maker.close();
});

function workers(): number[] {
  const { pid } = supervisor;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Sockets that listen on the supervisor's port. */
function listening(): number {
  const port = Number(new URL(supervisor.url).port).toString(16).toUpperCase().padStart(4, '0');
  const isOurs = new RegExp(`^ *\\d+: [0-9A-F]+:${port} [0-9A-F]+:0000 0A `);
  const tables = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'));
  return tables.filter((line) => isOurs.test(line)).length;
}

/** The status, over a connection of its own. */
async function token(): Promise<number> {
  const { clientId, secret } = service;
  const call = request(`${supervisor.url}/oauth2/token`, {
    method: 'POST',
    agent: new Agent(),
    timeout: WAIT_MS,
    auth: `${clientId}:${secret}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  call.on('timeout', () => call.destroy(new Error('nobody took the connection')));
  call.end('grant_type=client_credentials');
  const [answer] = await once(call, 'response');
  answer.resume();
  return answer.statusCode;
}

function tokens(): Promise<number[]> {
  return Promise.all(Array.from({ length: CALLERS }, token));
}

const ALL_WELL = Array.from({ length: CALLERS }, () => 200);

// Their processes are looked up in /proc.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('workers', () => {
  test('take new connections by themselves, while their supervisor does nothing', async () => {
    process.kill(supervisor.pid, 'SIGSTOP');
    try {
      expect(await tokens()).toEqual(ALL_WELL);
    } finally {
      process.kill(supervisor.pid, 'SIGCONT');
    }
  });

  test('one that is killed is not noticed by new callers, and another takes its place', async () => {
    const [victim = 0] = workers();
    process.kill(victim, 'SIGKILL');
    await until(async () => listening() < WORKERS);
    expect(await tokens()).toEqual(ALL_WELL);
    await until(async () => listening() === WORKERS, 20);
    expect(await tokens()).toEqual(ALL_WELL);
  });

  test('share their port with no other installation', async () => {
    const { port } = new URL(supervisor.url);
    const env = { ...testEnvironment(maker.databaseUrl), PORT: port, POSTERN_WORKERS: String(WORKERS) };
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts', 'serve'], {
      cwd: join(import.meta.dirname, '../..'),
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const late = setTimeout(() => child.kill('SIGTERM'), WAIT_MS);
    const [status] = await once(child, 'exit');
    clearTimeout(late);
    expect(said).toContain(`port ${port} is taken by another program`);
    expect(status).toBe(1);
  });

  // Last: it ends them.
  test('end with their supervisor', async () => {
    expect(await supervisor.stop('SIGTERM')).toBe(0);
    await expect(token()).rejects.toThrow('ECONNREFUSED');
  });
});
