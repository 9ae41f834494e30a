import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import path from 'node:path';
import type { Arena } from './arena.ts';
import {
  clientCredentials,
  documentAt,
  introspectJwt,
  introspectOpaque,
  type Load,
  refresh,
  signingIn,
  userinfo,
} from './loads.ts';
import type { Command, ProfiledLoad } from './options.ts';
import { freePort } from './processes.ts';
import { createStage } from './stage.ts';
import { rounded } from './statistics.ts';

const WARM_UP_SECONDS = 2;
const INTERVAL_MICROSECONDS = 200;
const LISTED = 25;

const LOADS: Record<ProfiledLoad, Load> = {
  cc_jwt_es256: clientCredentials(),
  introspect_jwt: introspectJwt,
  introspect_opaque: introspectOpaque,
  userinfo,
  refresh,
  sign_in: signingIn,
  metadata: documentAt('/.well-known/openid-configuration'),
};

interface Session {
  send<T>(method: string, params?: object): Promise<T>;
  close(): void;
}

/** Node's own debugger port, by the Chrome DevTools protocol. */
async function attach(port: number): Promise<Session> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '');
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the debugger does not answer')), { once: true });
  });
  let last = 0;
  return {
    send<T>(method: string, params: object = {}) {
      last += 1;
      const id = last;
      return new Promise<T>((resolve, reject) => {
        function onMessage({ data }: MessageEvent): void {
          const answer = JSON.parse(String(data)) as { id?: number; result?: T; error?: { message: string } };
          if (answer.id !== id) return;
          socket.removeEventListener('message', onMessage);
          if (answer.error) reject(new Error(answer.error.message));
          else resolve(answer.result as T);
        }
        socket.addEventListener('message', onMessage);
        socket.send(JSON.stringify({ id, method, params }));
      });
    },
    close: () => socket.close(),
  };
}

export interface ProfileLine {
  self_percent: number | null;
  function: string;
  where: string;
}

/** Where the time went, by function: its own time, without what it called. Idle time is left out. */
export function topBySelfTime({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ProfileLine[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const frame = frames.get(id);
    // The first sample stands for all that was before it.
    if (index === 0 || !frame || frame.functionName === '(idle)' || frame.functionName === '(program)') return;
    const where = frame.url.replace(/^file:\/\//, '').replace(/^.*?\/(?=(?:node_modules|dist|src)\/)/, '');
    const key = `${frame.functionName || '(anonymous)'}\t${where}${where === '' ? '' : `:${frame.lineNumber + 1}`}`;
    const time = timeDeltas[index] ?? 0;
    times.set(key, (times.get(key) ?? 0) + time);
    total += time;
  });
  return [...times]
    .sort(([, a], [, b]) => b - a)
    .slice(0, LISTED)
    .map(([key, time]) => {
      const [name = '', where = ''] = key.split('\t');
      return { self_percent: rounded((time / total) * 100, 1), function: name, where };
    });
}

/** A CPU profile of the product under one kind of load, as a file for the browser's tools and as a list. */
export async function runProfile(arena: Arena, command: Command & { verb: 'profile' }): Promise<void> {
  const port = await freePort();
  const server = await arena.product({ flags: [`--inspect=127.0.0.1:${port}`] });
  const job = await LOADS[command.load](createStage(arena), server);
  const load = async (seconds: number) => arena.load(await job(seconds));
  await load(WARM_UP_SECONDS);
  const session = await attach(port);
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS });
  await session.send('Profiler.start');
  const { completed, seconds, errors } = await load(command.seconds);
  const { profile } = await session.send<{ profile: Profiler.Profile }>('Profiler.stop');
  session.close();
  const file = path.resolve(command.out ?? `${command.load}.cpuprofile`);
  writeFileSync(file, JSON.stringify(profile));
  const top = topBySelfTime(profile);
  if (command.json) {
    console.log(JSON.stringify({ file, requests_per_s: rounded(completed / seconds, 1), errors, top }, null, 2));
    return;
  }
  console.log(`${Math.round(completed / seconds)} requests a second, ${errors} errors; ${file}`);
  for (const { self_percent, function: name, where } of top) {
    console.log(`${String(self_percent).padStart(5)} %  ${name}  ${where}`);
  }
}
