import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Ctx, WebMiddleware } from './context.ts';

const PROTOCOL = /^\/(?:oauth2\/[a-z_]+|\.well-known\/[a-z-]+)(?=\/|$)/;

/**
 * One line and one measurement per request. Neither holds a query string, and where a route matched its pattern stands
 * for the path, because ids in paths can be half of a secret. What succeeds on the protocol's endpoints is logged at
 * debug only: each of those has its audit event.
 */
export function accessLog({
  log,
  metrics,
}: {
  log: Log;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
}): WebMiddleware {
  return async (ctx, next) => {
    const started = performance.now();
    try {
      await next();
    } finally {
      const seconds = (performance.now() - started) / 1000;
      const route = routeOf(ctx);
      const status = String(ctx.status);
      metrics.httpRequestDuration.observe({ method: ctx.method, route: route ?? 'none', status }, seconds);
      const line = {
        request: ctx.state.request.id,
        method: ctx.method,
        path: route ?? ctx.path.slice(0, 200),
        status: ctx.status,
        ms: Math.round(seconds * 10_000) / 10,
        address: ctx.state.request.address,
      };
      if (ctx.status < 400 && isQuiet(ctx.path)) log.debug(line, 'request');
      else log.info(line, 'request');
    }
  };
}

function isQuiet(path: string): boolean {
  return path === '/healthz' || path === '/readyz' || path.startsWith('/assets/') || PROTOCOL.test(path);
}

/** Of a bounded set of values, since it labels a metric. */
function routeOf(ctx: Ctx): string | undefined {
  if (ctx.state.route !== undefined) return ctx.state.route;
  if (ctx.path === '/healthz' || ctx.path === '/readyz') return ctx.path;
  if (ctx.path.startsWith('/assets/') && ctx.status < 400) return '/assets';
  // What the provider did not know may have any name.
  return ctx.status === 404 || ctx.status === 421 ? undefined : PROTOCOL.exec(ctx.path)?.[0];
}
