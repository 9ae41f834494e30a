import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';
import { problem } from './problem.ts';
import { Redirect, seeOther } from './redirect.ts';
import type { Views } from './views.ts';

/** Logs what a person or client is not told. */
export interface ErrorLog {
  error(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export interface ErrorRenderer {
  /** Answers with the error: a page, or problem+json for /admin/api and for clients that ask for JSON only. */
  render(ctx: Ctx, error: unknown): void;
}

export function createErrorRenderer({ views, log }: { views: Views; log: ErrorLog }): ErrorRenderer {
  function render(ctx: Ctx, thrown: unknown): void {
    if (thrown instanceof Redirect) {
      seeOther(ctx, thrown.location);
      return;
    }
    const error = asAppError(thrown);
    report(ctx, error, thrown);
    if (ctx.headerSent || !ctx.writable) {
      // Too late for a page: the client must see that the answer is not whole.
      ctx.respond = false;
      ctx.res.destroy();
      return;
    }
    if (error.retryAfter !== undefined) ctx.set('Retry-After', String(Math.max(1, Math.ceil(error.retryAfter))));
    ctx.set('Cache-Control', 'no-store');
    if (wantsProblem(ctx)) {
      problem(ctx, error);
      return;
    }
    try {
      views.render(ctx, 'error', errorModel(ctx, error), { status: error.status });
    } catch (failure) {
      log.error({ request: ctx.state.request.id, err: failure }, 'the error page could not be rendered');
      ctx.status = error.status;
      ctx.type = 'text';
      ctx.body = `${error.status} (${ctx.state.request.id})\n`;
    }
  }

  function report(ctx: Ctx, error: AppError, thrown: unknown): void {
    const fields = { request: ctx.state.request.id, error: error.code, status: error.status, detail: error.detail };
    if (error.status >= 500) log.error({ ...fields, err: error.cause ?? thrown }, 'request failed');
    else if (error.detail !== undefined) log.info(fields, 'request refused');
  }

  return { render };
}

/** Titles and advice by code where the locale files have them (`error.<code>.title`, `.advice`), else by status. */
export function errorModel(
  ctx: Ctx,
  error: AppError,
): { title: string; message: string; advice: string; status: number } {
  const { t } = ctx.state;
  const text = (key: string): string | undefined => t.find(key, error.params);
  const kind = statusKind(error.status);
  return {
    title: text(`error.${error.code}.title`) ?? t(`error_page.${kind}.title`),
    message: text(`error.${error.code}`) ?? t(`error_page.${kind}.message`),
    advice: text(`error.${error.code}.advice`) ?? t(`error_page.${kind}.advice`),
    status: error.status,
  };
}

function statusKind(status: number): string {
  if (status === 403 || status === 404 || status === 405 || status === 410 || status === 429 || status === 503) {
    return String(status);
  }
  return status >= 500 ? 'server' : 'request';
}

/** Anything that is not an AppError is a defect or a broken connection: what it says stays in the log. */
function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const status = clientStatus(thrown);
  if (status !== undefined) return new AppError('malformed_input', { status, cause: thrown });
  return new AppError('internal', { status: 500, cause: thrown });
}

/** Koa and its parts throw http-errors for what a client got wrong. */
function clientStatus(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('status' in thrown) || !('expose' in thrown)) return undefined;
  const { status, expose } = thrown;
  return expose === true && typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

/** Clients of the API, and those that name JSON but not HTML, get problem+json (RFC 9457). */
export function wantsProblem(ctx: Ctx): boolean {
  if (ctx.path.startsWith('/admin/api/')) return true;
  return ctx.accepts('html', 'json') === 'json';
}
