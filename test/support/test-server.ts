import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { openCluster } from '../../src/platform/db/embedded/cluster.ts';
import { runningPort, stopServer } from '../../src/platform/db/embedded/server.ts';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { migrate } from '../../src/platform/db/migrate.ts';

/** One PostgreSQL for a whole run of the tests, with a migrated database that others are copied from. */
export interface TestServer {
  /** Of the database `postgres`, or of the one that TEST_DATABASE_URL names. */
  url: string;
  template: string;
  /** For whatever a test writes; gone at the end of the run. */
  folder: string;
  stop(): Promise<void>;
}

const log = pino({ level: 'silent' });
const home = join(tmpdir(), `postern-test-${userInfo().uid}`);
const OWNER = 'owner.pid';

export function onDatabase(url: string, database: string): string {
  const result = new URL(url);
  result.pathname = `/${database}`;
  return result.href;
}

export async function startTestServer(): Promise<TestServer> {
  mkdirSync(home, { recursive: true, mode: 0o711 });
  await sweep();
  // Not under its final name before it says whose it is: a sweep of another run would take it away.
  const draft = mkdtempSync(join(home, 'new-'));
  writeFileSync(join(draft, OWNER), String(process.pid));
  const folder = draft.replace(/new-([^/\\]*)$/, 'run-$1');
  renameSync(draft, folder);
  const given = process.env.TEST_DATABASE_URL;
  const embedded = given ? undefined : await startEmbedded({ dataDir: join(folder, 'db'), log, durable: false });
  const url = given ?? onDatabase(embedded?.url ?? '', 'postgres');
  const template = `postern_template_${process.pid}`;
  await onServer(url, [`DROP DATABASE IF EXISTS ${template}`, `CREATE DATABASE ${template}`]);
  await migrate({ url: onDatabase(url, template), log });
  return {
    url,
    template,
    folder,
    async stop() {
      if (embedded) await embedded.stop();
      else await onServer(url, [`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function onServer(url: string, statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Ends the servers of runs that were killed, and removes what they left. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(home)) {
    if (!name.startsWith('run-')) continue;
    const folder = join(home, name);
    if (isOwned(folder)) continue;
    const dataDir = join(folder, 'db');
    if (existsSync(join(dataDir, 'postgres'))) {
      const cluster = await openCluster(dataDir, { durable: false }).catch(() => undefined);
      if (cluster && runningPort(cluster) !== undefined) await stopServer(cluster);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

function isOwned(folder: string): boolean {
  try {
    const pid = Number(readFileSync(join(folder, OWNER), 'utf8'));
    process.kill(pid, 0);
    // In a container nobody may collect the dead: "pid (comm) state …", Z is one of them.
    const stat = process.platform === 'linux' ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    return !/\) Z /.test(stat);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
