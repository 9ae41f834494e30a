import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Application } from './people.ts';

/** Runs a command as a person would paste it, and answers what it printed. */
export async function runCommand(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { timeout: 10_000 });
  return stdout;
}

export interface Program {
  stop(): Promise<void>;
}

/** The application of relying-party.mjs, as a process of its own. */
export async function startRelyingParty(
  issuer: string,
  application: Pick<Application, 'clientId' | 'secret'>,
  port: number,
): Promise<Program> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'relying-party.mjs')], {
    env: {
      PATH: process.env.PATH,
      RP_ISSUER: issuer,
      RP_CLIENT_ID: application.clientId,
      RP_CLIENT_SECRET: application.secret,
      RP_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { stop: await started(child) };
}

async function started(child: ChildProcess): Promise<() => Promise<void>> {
  const ended = once(child, 'exit');
  let printed = '';
  child.stderr?.on('data', (chunk) => {
    printed += chunk;
  });
  await Promise.race([
    once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data'),
    ended.then(([code]) => {
      throw new Error(`the program ended with ${code}: ${printed}`);
    }),
  ]);
  return async () => {
    child.kill();
    await ended;
  };
}
