import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { WebMiddleware } from './context.ts';

const PROTOCOL = /^\/(?:oauth2\/[a-z_]+|\.well-known\/[a-z-]+)(?=\/|$)/;

interface Parts {
  log: Log;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
}

/**
 * One line and one measurement per request. Neither holds a query string, and where a route matched its pattern stands
 * for the path, because ids in paths can be half of a secret. What succeeds on the protocol's endpoints is logged at
 * debug only: each of those has its audit event.
 */
export function accessLog(deps: Parts): WebMiddleware {
  const record = createRequestRecord(deps);
  return async (ctx, next) => {
    const started = performance.now();
    try {
      await next();
    } finally {
      const { method, path, status } = ctx;
      const seconds = (performance.now() - started) / 1000;
      record({ method, path, route: ctx.state.route, status, request: ctx.state.request, seconds });
    }
  };
}

interface Answered {
  method: string;
  path: string;
  /** The pattern of the page that answered. */
  route?: string | undefined;
  status: number;
  request: RequestInfo;
  /** One of a flood: a line for each would cost more than it tells. */
  quiet?: boolean;
  seconds: number;
}

/** Writes down one request that was answered. */
export function createRequestRecord({ log, metrics }: Parts): (answered: Answered) => void {
  return (answered) => {
    const { method, path, status, request, quiet = false, seconds } = answered;
    const route = routeOf(answered);
    metrics.httpRequestDuration.observe({ method, route: route ?? 'none', status: String(status) }, seconds);
    const level = quiet || (status < 400 && isQuiet(path)) ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return;
    const line = {
      request: request.id,
      method,
      path: route ?? path.slice(0, 200),
      status,
      ms: Math.round(seconds * 10_000) / 10,
      address: request.address,
    };
    log[level](line, 'request');
  };
}

function isQuiet(path: string): boolean {
  return path === '/healthz' || path === '/readyz' || path.startsWith('/assets/') || PROTOCOL.test(path);
}

/** Of a bounded set of values, since it labels a metric. */
function routeOf({ route, path, status }: Answered): string | undefined {
  if (route !== undefined) return route;
  if (path === '/healthz' || path === '/readyz') return path;
  if (path.startsWith('/assets/') && status < 400) return '/assets';
  // What the provider did not know may have any name.
  return status === 404 || status === 421 ? undefined : PROTOCOL.exec(path)?.[0];
}
