import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { AppError } from '../../kernel/errors.ts';
import type { Log } from '../observe/log.ts';
import { type Cluster, openCluster, SUPERUSER } from './embedded/cluster.ts';
import { freePort, lastLogLines, runningPort, startServer, stopServer } from './embedded/server.ts';

export interface EmbeddedOptions {
  dataDir: string;
  log: Log;
  /** False gives up crash safety for speed; only for databases that are thrown away. */
  durable?: boolean;
}

export interface Embedded {
  /** Of the database `postern`. It stays the same when the server has to be started again. */
  url: string;
  /** Lets go of the server; the last process that does stops it. */
  stop(): Promise<void>;
}

const DATABASE = 'postern';
/** Held shared, on the database `postgres`, by each process that uses the server. */
const USERS_LOCK = 7_270_736_900;
const START_DEADLINE_MS = 60_000;
const RETRY_MS = 100;

function clientOn(cluster: Cluster, port: number): pg.Client {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password: cluster.password,
    database: 'postgres',
    application_name: 'postern guard',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  return client;
}

/** Joins the users of the running server. Waits for one that is being stopped, and then fails with it. */
async function join(cluster: Cluster, port: number): Promise<pg.Client> {
  const client = clientOn(cluster, port);
  try {
    await client.connect();
    await client.query('SELECT pg_advisory_lock_shared($1)', [USERS_LOCK]);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** Starts the server or joins the one that runs. `fixedPort`: the one that others already know. */
async function enter(cluster: Cluster, fixedPort?: number): Promise<{ guard: pg.Client; port: number }> {
  const deadline = Date.now() + START_DEADLINE_MS;
  let cause: unknown;
  while (Date.now() < deadline) {
    const running = runningPort(cluster);
    if (running !== undefined) {
      try {
        return { guard: await join(cluster, running), port: running };
      } catch (error) {
        // 28P01: the password beside the data is not the server's; no waiting mends that.
        if ((error as { code?: string }).code === '28P01') throw error;
        cause = error;
      }
    } else if (await startServer(cluster, fixedPort ?? (await freePort()))) {
      continue;
    }
    await wait(RETRY_MS);
  }
  throw new AppError('database.unavailable', {
    status: 503,
    detail: `the embedded PostgreSQL in ${cluster.folder} does not start: ${lastLogLines(cluster)}`,
    cause,
  });
}

async function ensureDatabase(guard: pg.Client): Promise<void> {
  const { rowCount } = await guard.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
  if (rowCount !== 0) return;
  try {
    await guard.query(`CREATE DATABASE ${DATABASE}`);
  } catch (error) {
    // Made by another process meanwhile (duplicate_database, or the catalogue's unique index).
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

/**
 * The default database: PostgreSQL 18 from npm in `<dataDir>/postgres`, on a free port of the loopback interface. Any
 * number of processes share one server, which ends with the last of them; it is started again when it was killed.
 * Throws AppError `config.invalid` where it can't run at all, `database.unavailable` where it does not come up in time.
 */
export async function startEmbedded({ dataDir, log, durable = true }: EmbeddedOptions): Promise<Embedded> {
  const cluster = await openCluster(dataDir, { durable });
  let { guard, port } = await enter(cluster);
  await ensureDatabase(guard);
  let stopping = false;
  let recovery: Promise<void> | undefined;

  async function recover(): Promise<void> {
    log.warn('the embedded PostgreSQL went away; starting it again');
    while (!stopping) {
      try {
        const entered = await enter(cluster, port);
        if (entered.port !== port)
          log.error({ port: entered.port }, 'the embedded PostgreSQL came back on another port');
        ({ guard, port } = entered);
        watch(guard);
        return;
      } catch (error) {
        log.error({ err: error }, 'the embedded PostgreSQL does not start');
        await wait(1_000, undefined, { ref: false });
      }
    }
  }

  function watch(client: pg.Client): void {
    client.once('end', () => {
      if (!stopping) recovery = recover();
    });
  }
  watch(guard);

  return {
    url: `postgresql://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/${DATABASE}`,
    async stop() {
      if (stopping) return;
      stopping = true;
      await recovery;
      try {
        await guard.query('SELECT pg_advisory_unlock_shared($1)', [USERS_LOCK]);
        const { rows } = await guard.query<{ last: boolean }>('SELECT pg_try_advisory_lock($1) AS last', [USERS_LOCK]);
        // The lock is held until the server is gone: who comes now waits for it and then starts a new one.
        if (rows[0]?.last === true) await stopServer(cluster);
      } catch (error) {
        log.warn({ err: error }, 'the embedded PostgreSQL was gone before it was stopped');
      } finally {
        await guard.end().catch(() => undefined);
      }
    },
  };
}
