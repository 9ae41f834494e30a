import Koa, { type Middleware } from 'koa';
import type { Clock } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import { randomToken } from '../../kernel/ids.ts';
import type { Config } from '../config/schema.ts';
import type { Health } from '../observe/health.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { accessLog } from './access-log.ts';
import type { Assets } from './assets.ts';
import type { Ctx, FlashJar, WebMiddleware, WebState } from './context.ts';
import { createCsrf } from './csrf.ts';
import { dispatch } from './dispatch.ts';
import { createErrorRenderer } from './errors.ts';
import { openFlashJar } from './flash.ts';
import { setSecurityHeaders } from './headers.ts';
import { healthRoutes } from './health-routes.ts';
import { createHosts, type PartialHost } from './hosts.ts';
import type { I18n, Locale } from './i18n.ts';
import { misdirected } from './misdirected.ts';
import { stripForwarded } from './proxies.ts';
import { createRequestOrigins } from './request-origin.ts';
import type { Route } from './route.ts';
import type { Views } from './views.ts';

export interface WebAppOptions {
  config: Pick<Config, 'issuer' | 'issuerUrl' | 'secure' | 'allowedHosts' | 'trustedProxies'>;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'httpRequestDuration'>;
  health: Health;
  views: Views;
  assets: Assets;
  i18n: I18n;
  /** Binds form tokens to browsers and signs notices; shared by all processes of an installation. */
  csrfKey: Buffer;
  routes: Route[];
  /** Run for every request to a served host, before the routes (limits, say). */
  before?: Middleware<WebState>[];
  /** Served beside the issuer's host and its aliases. */
  partialHost?: PartialHost;
  /** Answers what no route of ours does: the OpenID provider, which reads its request bodies itself. */
  fallthrough?: Middleware<WebState>;
}

/**
 * The web server, from the outermost layer inwards. Forwarded headers are read here once and then replaced by what holds
 * (client address, scheme and host), so whatever comes later may trust Koa's `ctx.ip`, `ctx.protocol` and `ctx.host`.
 */
export function createWebApp(options: WebAppOptions): Koa<WebState> {
  const { config, log, metrics, health, views, assets, routes, before = [], fallthrough } = options;
  const app = new Koa<WebState>({ proxy: true });
  app.on('error', (error: NodeJS.ErrnoException) => log.debug({ err: error }, 'the answer could not be sent'));
  const errors = createErrorRenderer({ views, log });
  const hosts = createHosts(config, options.partialHost);
  const use = (middleware: WebMiddleware): void => {
    app.use(middleware as Middleware<WebState>);
  };

  const open = openRequest(options);
  use(async (ctx, next) => {
    open(ctx);
    setSecurityHeaders(ctx, config);
    await next();
  });
  use(accessLog({ log, metrics }));
  use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      errors.render(ctx, error);
    }
  });
  use(async (ctx, next) => {
    refuseMalformedTarget(ctx);
    await next();
  });
  use(healthRoutes(health));
  use(async (ctx, next) => {
    const served = hosts.served(ctx.req, ctx.path, ctx.state.fromProxy);
    if (served === undefined) return misdirected(ctx, { views, assets, issuer: config.issuer });
    ctx.req.headers['x-forwarded-host'] = served.host;
    ctx.req.headers['x-forwarded-proto'] = served.protocol;
    await next();
  });
  use(assets.serve);
  for (const middleware of before) app.use(middleware);
  use(dispatch(routes));
  if (fallthrough !== undefined) app.use(notFoundAfter(fallthrough));
  use(() => {
    throw new AppError('not_found', { status: 404 });
  });
  return app;
}

/** Sets what the request carries from here on (WebState), and the client's address. */
function openRequest({ config, clock, i18n, csrfKey }: WebAppOptions): (ctx: Ctx) => void {
  const originOf = createRequestOrigins({ trustedProxies: config.trustedProxies, clock });
  const csrf = createCsrf({ key: csrfKey, secure: config.secure });
  const tags = i18n.locales.map(({ tag }) => tag);

  return (ctx) => {
    // Koa parses the target wherever it is asked for the path, and throws on what is none: refused further in.
    if (ctx.req.url?.startsWith('/') !== true) ctx.req.url = '/';
    const { request, fromProxy } = originOf(ctx.req);
    if (!fromProxy) stripForwarded(ctx.req);
    ctx.req.headers['x-forwarded-for'] = request.address;
    ctx.set('X-Request-Id', request.id);

    const guard = csrf(ctx);
    let locale: Locale | undefined;
    let jar: FlashJar | undefined;
    ctx.state = {
      request,
      nonce: randomToken(16),
      fromProxy,
      get locale() {
        const tag = locale === undefined ? ctx.acceptsLanguages(...tags) : undefined;
        locale ??= (tag ? i18n.locale(tag) : undefined) ?? i18n.fallback;
        return locale;
      },
      get t() {
        return i18n.translator(this.locale);
      },
      get csrfToken() {
        return guard.token();
      },
      checkCsrf: guard.check,
      get flash() {
        jar ??= openFlashJar(ctx, { key: csrfKey, secure: config.secure, clock });
        return jar;
      },
    };
  };
}

/** Targets that are no path, or whose percent-encoding is broken or hides a NUL, are refused before anything reads them. */
function refuseMalformedTarget(ctx: Ctx): void {
  const path = ctx.originalUrl.split('?', 1)[0] ?? '';
  if (!path.startsWith('/')) throw new AppError('malformed_input', { status: 400, detail: 'request target' });
  try {
    if (!decodeURIComponent(path).includes('\0')) return;
  } catch {
    // Falls through to the same answer.
  }
  throw new AppError('malformed_input', { status: 400, detail: 'path encoding' });
}

/** Lets the provider answer, and treats its silence as "not found" with our page. */
function notFoundAfter(fallthrough: Middleware<WebState>): Middleware<WebState> {
  return async (ctx, next) => {
    await fallthrough(ctx, async () => undefined);
    if (ctx.respond === false || ctx.status !== 404 || ctx.body !== undefined) return;
    await next();
  };
}
