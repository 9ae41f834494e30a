import Router from '@koa/router';
import { AppError } from '../../kernel/errors.ts';
import type { WebMiddleware, WebState } from './context.ts';
import type { Route } from './route.ts';

/** Methods that any part of the server answers. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Finds the route by path and method; among several matches the one with the fewest placeholders wins. */
export function dispatch(routes: Route[]): WebMiddleware {
  // By the first path segment, which has no placeholder: what is not below one of ours can't match, and of the others a
  // few are searched and not all.
  const routers = new Map<string, Router<WebState>>();
  const byLayer = new Map<unknown, Route>();
  const taken = new Set<string>();
  for (const route of routes) {
    const name = `${route.method} ${route.path}`;
    if (taken.has(name)) throw new Error(`two routes for ${name}`);
    taken.add(name);
    const router = routers.get(segmentOf(route.path)) ?? new Router<WebState>({ sensitive: true, strict: true });
    routers.set(segmentOf(route.path), router);
    byLayer.set(
      router.register(route.path, [route.method], () => undefined),
      route,
    );
  }

  return async (ctx, next) => {
    if (!METHODS.has(ctx.method)) throw methodNotAllowed(ctx.set.bind(ctx), [...METHODS]);
    const router = routers.get(segmentOf(ctx.path));
    if (router === undefined) return next();
    const { path: onPath, pathAndMethod } = router.match(ctx.path, ctx.method);
    const layer = pathAndMethod.toSorted((a, b) => a.paramNames.length - b.paramNames.length)[0];
    const route = byLayer.get(layer);
    if (layer === undefined || route === undefined) {
      if (onPath.length === 0) return next();
      throw methodNotAllowed(
        ctx.set.bind(ctx),
        onPath.flatMap(({ methods }) => methods),
      );
    }
    ctx.state.route = route.path;
    await route.handle(ctx, layer.params(ctx.path, layer.captures(ctx.path)));
  };
}

function segmentOf(path: string): string {
  return path.split('/', 2)[1] ?? '';
}

function methodNotAllowed(set: (name: string, value: string) => void, methods: string[]): AppError {
  set('Allow', [...new Set(methods)].sort().join(', '));
  return new AppError('method_not_allowed', { status: 405 });
}
