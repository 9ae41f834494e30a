import type { ParameterizedContext } from 'koa';
import type { AppError } from '../../kernel/errors.ts';

/** An answer to a program. */
export interface PlainAnswer {
  status: number;
  /** Beside those that every answer carries; names and values in turn. */
  headers?: readonly string[];
  body?: string;
}

const JSON_NO_STORE = ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'];

export function json(status: number, body: object, headers: readonly string[] = []): PlainAnswer {
  return { status, headers: [...JSON_NO_STORE, ...headers], body: JSON.stringify(body) };
}

/**
 * RFC 6749 section 5.2 knows no code for a service that can't answer now; `temporarily_unavailable` is the one of
 * section 4.1.2.1.
 */
export function unavailable(error: AppError, headers: readonly string[] = []): PlainAnswer {
  const problem = {
    error: 'temporarily_unavailable',
    error_description: 'the service is not available, try again soon',
  };
  return json(error.status === 429 ? 429 : 503, problem, ['Retry-After', String(error.retryAfter ?? 2), ...headers]);
}

/** The same answer where Koa is at work. */
export function send(ctx: ParameterizedContext, { status, headers = [], body = '' }: PlainAnswer): void {
  ctx.status = status;
  for (let at = 0; at < headers.length; at += 2) ctx.set(headers[at] ?? '', headers[at + 1] ?? '');
  ctx.body = body;
}
