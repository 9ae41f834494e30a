import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type App, build } from '../../src/app.ts';
import { loadConfig } from '../../src/platform/config/load.ts';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { createLog } from '../../src/platform/observe/log.ts';
import { entrance } from '../build.mjs';
import { SERVER_FLAGS, serverEnvironment } from '../server-process.mjs';
import { AUDIENCE, type Data, type DataSize, PASSWORD, prepareData, SCOPE, TOKEN_TTL } from './data.ts';
import type { FloorSetup } from './floors/setup.ts';
import { copyDatabase } from './growth.ts';
import type { Job, LoadResult } from './load/job.ts';
import type { Answer } from './load/worker.ts';
import { type Core, canPin, cores, freePort, type Launched, launch, pin } from './processes.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export interface Server extends Launched {
  origin: string;
}

/** Everything that a bench runs on, in one temporary folder that is gone afterwards. */
export interface Arena {
  data: Data;
  databaseUrl: string;
  /** Of the PostgreSQL server. */
  databasePid: number;
  folder: string;
  product(options?: ProductOptions): Promise<Server>;
  bare(): Promise<Server>;
  floor(workers?: number): Promise<Server>;
  /** A copy of the database as it was before anything was measured. */
  copyOfData(name: string): Promise<string>;
  /** Loads of different names come from processes of their own, so that they can run at the same time. */
  load(job: Job, from?: string): Promise<LoadResult>;
  /** Whether the load and PostgreSQL keep to their core, or may use all of them, as a row needs that sets processes against each other. */
  keepApart(apart: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface ProductOptions {
  workers?: number;
  databaseUrl?: string;
  pinned?: boolean;
  flags?: string[];
}

/** Servers have the first core, the load and PostgreSQL the last one. */
const SERVER_CORE: Core = canPin ? String(cores()[0]) : undefined;
const LOAD_CORE: Core = canPin ? String(cores().at(-1)) : undefined;

export async function openArena(size: DataSize): Promise<Arena> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  // PostgreSQL may run as another user, who has to reach its own folder.
  chmodSync(folder, 0o711);
  const log = createLog({ level: 'error' });
  const started: { stop(): Promise<void> }[] = [];

  async function close(): Promise<void> {
    for (const server of started.splice(0).reverse()) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    const dataDir = path.join(folder, 'data');
    const embedded = await startEmbedded({ dataDir, log });
    started.push(embedded);
    const databasePid = Number(readFileSync(path.join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
    await pin(databasePid, LOAD_CORE);

    const environment = {
      POSTERN_DATA_DIR: dataDir,
      POSTERN_MASTER_KEY: randomBytes(32).toString('base64url'),
      POSTERN_MANAGEMENT_PORT: '0',
      // The load names many addresses, as a proxy in front of many callers would.
      POSTERN_TRUSTED_PROXIES: '127.0.0.1',
    };
    const config = loadConfig({ ...environment, DATABASE_URL: embedded.url, PORT: '0' });
    const app: App = await build(config, { log });
    const data = await prepareData(app, size).finally(() => app.close());
    // Before anything is connected to it: a database that is in use can't be copied.
    const untouched = await copyDatabase(embedded.url, 'postern_untouched');

    const logFile = (name: string) => path.join(folder, `${name}.log`);
    const setupFile = path.join(folder, 'floors.json');
    const generators = new Map<string, Promise<Launched>>();
    async function generator(name: string): Promise<Launched> {
      const args = [path.join(import.meta.dirname, 'load/worker.ts')];
      const launched = await launch({ name, args, core: LOAD_CORE, logFile: logFile(name) });
      started.push(launched);
      return launched;
    }
    function generatorOf(name: string): Promise<Launched> {
      const known = generators.get(name) ?? generator(name);
      generators.set(name, known);
      return known;
    }

    let documents: Record<string, string> | undefined;
    async function serverOf(name: string, args: string[], env: Record<string, string>, port: number, core: Core) {
      const origin = `http://127.0.0.1:${port}`;
      const ready = name === 'product' ? `${origin}/readyz` : `${origin}/healthz`;
      // As `npm start` does it.
      const whole = { ...serverEnvironment({}), ...env };
      const server = await launch({ name, args, env: whole, core, logFile: logFile(name), ready });
      started.push(server);
      return { ...server, origin };
    }

    async function floorOf(name: 'http' | 'bare', workers: number): Promise<Server> {
      const { services, application, people, passwordHash } = data;
      const [person] = people;
      const setup: FloorSetup = {
        audience: AUDIENCE,
        tokenTtl: TOKEN_TTL,
        scope: SCOPE,
        services,
        application,
        account: { id: person?.id ?? '', email: person?.login ?? '', name: 'Person 0' },
        password: PASSWORD,
        passwordHash: await unpeppered(passwordHash),
        documents: documents ?? {},
      };
      writeFileSync(setupFile, JSON.stringify(setup), { mode: 0o600 });
      const port = await freePort();
      const env = { BENCH_SETUP: setupFile, BENCH_PORT: String(port), BENCH_WORKERS: String(workers) };
      const args = [...SERVER_FLAGS, path.join(import.meta.dirname, `floors/${name}.ts`)];
      return serverOf(name, args, env, port, workers > 1 ? undefined : SERVER_CORE);
    }

    return {
      data,
      databaseUrl: embedded.url,
      databasePid,
      folder,
      async product({ workers = 1, databaseUrl = embedded.url, pinned = workers === 1, flags = [] } = {}) {
        const port = await freePort();
        const env = {
          ...environment,
          PORT: String(port),
          POSTERN_ISSUER: `http://127.0.0.1:${port}`,
          POSTERN_WORKERS: String(workers),
          DATABASE_URL: databaseUrl,
        };
        const args = [...SERVER_FLAGS, ...flags, entrance({ root: ROOT, node: process.execPath }), 'serve'];
        const server = await serverOf('product', args, env, port, pinned ? SERVER_CORE : undefined);
        documents ??= await documentsOf(server.origin);
        return server;
      },
      bare: () => floorOf('bare', 1),
      floor: (workers = 1) => floorOf('http', workers),
      copyOfData: (name) => copyDatabase(untouched, name),
      load: async (job, from = 'load') => ask(await generatorOf(from), job),
      async keepApart(apart) {
        const core = apart ? LOAD_CORE : cores().join(',');
        await pin((await generatorOf('load')).pid, core);
        // Connections that are made from now on inherit it.
        await pin(databasePid, core);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The product's digests hold a secret of its own; the floors get one of the same cost without. */
async function unpeppered(digest: string): Promise<string> {
  const { argon2id, hash } = await import('argon2');
  const [, m = '19456', t = '2', p = '1'] = /\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(digest) ?? [];
  return hash(PASSWORD, { type: argon2id, memoryCost: Number(m), timeCost: Number(t), parallelism: Number(p) });
}

async function documentsOf(origin: string): Promise<Record<string, string>> {
  const paths = ['/.well-known/openid-configuration', '/oauth2/jwks'];
  const bodies = await Promise.all(paths.map(async (name) => [name, await (await fetch(`${origin}${name}`)).text()]));
  return Object.fromEntries(bodies);
}

let asked = 0;

function ask({ child }: Launched, job: Job): Promise<LoadResult> {
  asked += 1;
  const id = asked;
  return new Promise((resolve, reject) => {
    function finish(): void {
      child.off('message', onMessage);
      child.off('exit', onExit);
    }
    function onMessage(answer: Answer): void {
      if (answer.id !== id) return;
      finish();
      if (answer.result) resolve(answer.result);
      else reject(new Error(answer.error));
    }
    function onExit(): void {
      finish();
      reject(new Error('the load generator ended'));
    }
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.send({ id, job });
  });
}
