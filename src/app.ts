import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Services } from './cli/services.ts';
import { backchannelNeeds } from './composition/backchannel.ts';
import { createCliServices } from './composition/cli-services.ts';
import { consoleClient } from './composition/console-client.ts';
import { openFoundation } from './composition/foundation.ts';
import { createPages } from './composition/pages.ts';
import { createParts, type Parts } from './composition/parts.ts';
import { ASSETS, VIEWS } from './composition/places.ts';
import { createProviderPages } from './composition/provider-pages.ts';
import { createRedeem } from './composition/redeem.ts';
import { registrationDeps } from './composition/registration.ts';
import { type Clock, systemClock } from './kernel/clock.ts';
import { aliasedPaths } from './oidc/client-auth/certificates.ts';
import { createProtocol } from './oidc/protocol.ts';
import { METHODS, PATHS } from './oidc/settings.ts';
import type { Config } from './platform/config/schema.ts';
import type { Database } from './platform/db/database.ts';
import { cleanExpired } from './platform/jobs/clean-expired.ts';
import { createJobs } from './platform/jobs/jobs.ts';
import { addressGroup } from './platform/limits/address.ts';
import { createAdmission } from './platform/limits/admission.ts';
import { createRequestLimit } from './platform/limits/request-limits.ts';
import { createHealth } from './platform/observe/health.ts';
import { createLog, type Log } from './platform/observe/log.ts';
import { type Management, startManagement } from './platform/observe/management.ts';
import { createMetrics } from './platform/observe/metrics.ts';
import { createAssets } from './platform/web/assets.ts';
import { createFront } from './platform/web/front.ts';
import { holdBody } from './platform/web/held-body.ts';
import { createHttpServer } from './platform/web/http-server.ts';
import { createWebApp } from './platform/web/server.ts';
import { createViews } from './platform/web/views.ts';

export interface App {
  /** The issuer. */
  url: string;
  /** The absolute address of the setup page; null once there is an admin. */
  setupLink(): Promise<string | null>;
  /** Resolves when requests are answered. */
  /** `reusePort`: others of this program listen on the same port; the kernel spreads connections among them. */
  listen(options?: { reusePort: boolean }): Promise<void>;
  /** Lets what was begun end (10 s at the most), then closes everything. */
  close(): Promise<void>;
  parts: Parts;
  db: Database;
}

export interface BuildOptions {
  clock?: Clock;
  log?: Log;
}

/** Beginning to sign in writes rows before anybody proved anything: each address may do so this often. */
const ADDRESS_REQUESTS = { points: 6_000, seconds: 60 };
/** A token request costs the service that sends it one of these; the limit is far above what one service needs. */
const CLIENT_REQUESTS = { points: 20_000, seconds: 10 };
/** Of one process: so many at the most, fewer while they are answered slowly, but as many as this in any case. */
const REQUESTS_AT_ONCE = { most: 2_000, least: 100 };
const DRAIN_MS = 10_000;

/** The product, joined: from the database up to the web server. Nothing listens yet. */
export async function build(given: Config, options: BuildOptions = {}): Promise<App> {
  const config = given.port === 0 ? await withFreePort(given) : given;
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLog({ level: config.logLevel });

  const metrics = createMetrics({ passwordHashQueue: () => parts.hasher.queued() });
  const foundation = await openFoundation(config, {
    clock,
    log,
    onAuditCommit: (seconds) => metrics.auditCommitSeconds.observe(seconds),
  });
  const { db, audit, secrets } = foundation;
  const parts = await createParts(foundation);
  const assets = createAssets(ASSETS);
  const views = createViews({ dir: VIEWS, assets });

  const onLimited = (limiter: string) => metrics.rateLimited.inc({ limiter });
  const protocol = await createProtocol({
    config,
    db,
    audit,
    clock,
    log,
    keys: parts.keys,
    cookieKeys: secrets.cookieKeys,
    dpopNonceKey: secrets.dpopNonceKey,
    builtInClients: [consoleClient(config)],
    pages: createProviderPages(views),
    clientLimit: createRequestLimit({ ...CLIENT_REQUESTS, name: 'client', onLimited }),
    backchannel: backchannelNeeds(foundation, parts),
    onToken: (grantType, result) => metrics.tokensIssued.inc({ grant_type: grantType, result }),
    onRefreshReuse: () => metrics.refreshReuse.inc(),
    outgoing: foundation.outgoing,
    clientKeys: parts.clientKeys,
    registration: registrationDeps(config, parts, onLimited),
    onKeys: (keys) => {
      metrics.signingKeyExpiry.reset();
      for (const { kid, rotateBy } of keys) metrics.signingKeyExpiry.set({ kid }, rotateBy.getTime() / 1000);
    },
  });
  const health = createHealth({
    checks: {
      database: async () => void (await db.query('ready', 'SELECT 1', [])),
      keys: async () => {
        if ((await parts.keys.list()).every((key) => key.status !== 'active'))
          throw new Error('no signing key is active');
      },
    },
    onFailure: (name, error) => log.warn({ err: error }, `not ready: ${name}`),
  });
  const jobs = createJobs({ db, log });
  jobs.every('signing-keys', 3600, () => parts.keys.maintain());
  jobs.every('clean-expired', 300, (signal) => cleanExpired({ db, clock, signal }));

  const admission = createAdmission({
    ...REQUESTS_AT_ONCE,
    onRefused(first) {
      onLimited('admission');
      if (first)
        log.warn({ underWay: admission.underWay() }, 'more requests than can be answered in time: some are refused');
    },
  });
  const addressLimit = createRequestLimit({ ...ADDRESS_REQUESTS, name: 'address', onLimited });
  const routes = createPages(foundation, parts, {
    views,
    metrics,
    protocol,
    redeem: createRedeem(config, () => handler),
  });
  const partialHost = config.mtlsIssuerUrl ? { partialHost: certificateHost(config.mtlsIssuerUrl) } : {};
  const web = createWebApp({
    config,
    clock,
    log,
    metrics,
    health,
    views,
    assets,
    i18n: parts.i18n,
    csrfKey: secrets.csrfKey,
    routes,
    ...partialHost,
    before: [
      async (ctx, next) => {
        if (ctx.method !== 'GET' && ctx.method !== 'HEAD') await holdBody(ctx);
        await admission.admit(next);
      },
      async (ctx, next) => {
        // Endpoints that a client authenticates at are limited by client; gateways call them for everybody.
        const begins = ctx.path === PATHS.authorization || (ctx.method === 'POST' && !ctx.path.startsWith('/oauth2/'));
        if (begins) await addressLimit.take(addressGroup(ctx.state.request.address));
        await next();
      },
    ],
    fallthrough: protocol.middleware as NonNullable<Parameters<typeof createWebApp>[0]['fallthrough']>,
  });
  web.keys = secrets.cookieKeys;
  const handler = web.callback();

  const endpoints = protocol.plain;
  const server = createHttpServer(
    createFront({ config, clock, log, metrics, admission, endpoints, ...partialHost, otherwise: handler }),
  );
  let management: Management | undefined;

  return {
    url: config.issuer,
    setupLink: parts.setupLink,
    parts,
    db,
    async listen({ reusePort } = { reusePort: false }) {
      await listening(server, config.port, config.host, { reusePort });
      management = await openManagement();
      jobs.start();
    },
    async close() {
      health.drain();
      await drained(server);
      await jobs.stop();
      await management?.close();
      await protocol.close();
      await foundation.close();
    },
  };

  /** The port for metrics is a default that a second process on the machine finds taken: only a port that was set must work. */
  async function openManagement(): Promise<Management | undefined> {
    const { managementPort: port, managementHost: host } = config;
    try {
      return await startManagement({ port, host, metrics, health, log });
    } catch (error) {
      if (config.managementPortExplicit) throw error;
      log.warn({ port }, 'the management port is taken: this process shows no metrics (POSTERN_MANAGEMENT_PORT)');
      return undefined;
    }
  }
}

/** For the command line: the use cases, without pages and without listening. */
export async function openServices(config: Config, options: BuildOptions = {}): Promise<Services> {
  const log = options.log ?? createLog({ level: 'warn' });
  const foundation = await openFoundation(config, { clock: options.clock ?? systemClock, log });
  try {
    return createCliServices(foundation, await createParts(foundation));
  } catch (error) {
    await foundation.close();
    throw error;
  }
}

function listening(server: Server, port: number, host: string, options?: { reusePort: boolean }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A thousand services that connect at once must not wait for a second try.
    server.listen({ port, host, backlog: 4_096, ...options }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function drained(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  server.closeIdleConnections();
  await closed;
  clearTimeout(late);
}

/** The address at which a proxy asks for certificates: the endpoints that are listed for it, and nothing else. */
function certificateHost({ host }: URL): { host: string; serves(path: string): boolean } {
  const paths = new Set(aliasedPaths(PATHS, (path) => path in METHODS).values());
  return { host, serves: (path) => paths.has(path) };
}

/** Port 0 asks for any: the issuer has to name it before anything is built from it. */
async function withFreePort(config: Config): Promise<Config> {
  const probe = createServer();
  await listening(probe, 0, config.host);
  const { port } = probe.address() as AddressInfo;
  await drained(probe);
  if (config.issuerUrl.port !== '0') return { ...config, port };
  const issuerUrl = new URL(config.issuerUrl);
  issuerUrl.port = String(port);
  return { ...config, port, issuerUrl, issuer: issuerUrl.origin };
}
