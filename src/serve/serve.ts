import cluster from 'node:cluster';
import { loadConfig } from '../platform/config/load.ts';
import type { Config } from '../platform/config/schema.ts';
import { createLog, type Log } from '../platform/observe/log.ts';
import { aborted, watchForStop } from '../platform/process/stop.ts';
import { explainStartFailure } from './start-failure.ts';

/** What a worker tells the process that started it. */
interface Ready {
  url: string;
  setupLink: string | null;
}

const CLOSE_DEADLINE_MS = 20_000;

/**
 * Workers that listen themselves take all waiting connections in one turn. Elsewhere the supervisor hands them out one
 * by one, each after a worker's answer to the one before: a thousand that come at once then wait for seconds.
 */
const KERNEL_SPREADS = process.platform === 'linux';

/** Serves until it is told to stop. Resolves to the exit status: 0 after a clean stop, 1 when it could not start. */
export async function serve(env: NodeJS.ProcessEnv): Promise<number> {
  // Before any work: a signal during start-up must not be lost, nor leave a half-started database.
  const stop = watchForStop();
  let log: Log | undefined;
  try {
    const config = loadConfig(env);
    log = createLog({ level: config.logLevel });
    dieLoudly(log);
    if (config.workers > 1 && cluster.isPrimary) return await serveByWorkers(config, stop, log);
    return await serveHere(config, stop, log);
  } catch (error) {
    console.error(`Postern can't start: ${explainStartFailure(error)}`);
    log?.debug({ err: error }, 'start failed');
    return 1;
  }
}

/** What nobody caught leaves the process in an unknown state. It is logged (redacted, unlike Node's own report). */
function dieLoudly(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nothing caught; ending');
    process.exit(1);
  });
}

async function serveHere(config: Config, stop: AbortSignal, log: Log): Promise<number> {
  const { build } = await import('../app.ts');
  const app = await build(config, { log });
  if (!stop.aborted) {
    await app.listen({ reusePort: cluster.isWorker && KERNEL_SPREADS });
    const ready: Ready = { url: app.url, setupLink: await app.setupLink() };
    if (cluster.isWorker) process.send?.(ready);
    else announce(ready);
    await aborted(stop);
  }
  const late = setTimeout(() => {
    log.error('closing takes too long; ending');
    process.exit(1);
  }, CLOSE_DEADLINE_MS);
  await app.close();
  clearTimeout(late);
  return 0;
}

async function serveByWorkers(config: Config, stop: AbortSignal, log: Log): Promise<number> {
  const [{ startEmbedded }, { freePort }, { mustBeFree }, { superviseWorkers }] = await Promise.all([
    import('../platform/db/embedded.ts'),
    import('../platform/db/embedded/server.ts'),
    import('../platform/process/port.ts'),
    import('../platform/process/workers.ts'),
  ]);
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  try {
    const port = config.port === 0 ? await freePort() : config.port;
    await mustBeFree(port, config.host);
    return await superviseWorkers({
      count: config.workers,
      env: (slot) => ({
        PORT: String(port),
        PORT_FILE: '',
        ...metricsPort(config, slot),
        ...(embedded === undefined ? {} : { DATABASE_URL: embedded.url }),
      }),
      onReady: (message) => announce(message as Ready),
      stop,
      log,
    });
  } finally {
    await embedded?.stop();
  }
}

/** Each worker counts for itself, and so has a port of its own: the one that was set and those that follow it. */
function metricsPort({ managementPort, managementPortExplicit }: Config, slot: number): Record<string, string> {
  if (!managementPortExplicit) return slot === 0 ? {} : { POSTERN_MANAGEMENT_PORT: '0' };
  const port = managementPort === 0 ? 0 : managementPort + slot;
  return { POSTERN_MANAGEMENT_PORT: String(port), POSTERN_MANAGEMENT_PORT_FILE: '' };
}

function announce({ url, setupLink }: Ready): void {
  console.log(`Postern is ready at ${url}`);
  if (setupLink !== null) console.log(`Create the first administrator at ${setupLink}`);
}
