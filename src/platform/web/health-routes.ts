import type { Health } from '../observe/health.ts';
import type { WebMiddleware } from './context.ts';

/** /healthz and /readyz, for any host: probes call a process by its address. */
export function healthRoutes(health: Health): WebMiddleware {
  return async (ctx, next) => {
    if (ctx.path !== '/healthz' && ctx.path !== '/readyz') return next();
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      ctx.status = 405;
      return;
    }
    if (ctx.path === '/healthz') {
      ctx.body = { status: 'ok' };
      return;
    }
    const { ready, failing } = await health.ready();
    ctx.status = ready ? 200 : 503;
    if (!ready) ctx.set('Retry-After', '2');
    ctx.body = { status: ready ? 'ready' : 'not ready', failing };
  };
}
