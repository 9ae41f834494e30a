import { createHash } from 'node:crypto';
import type { Middleware } from 'koa';
import type { PlainRequest } from '../platform/web/front.ts';
import { type PlainAnswer, send } from '../platform/web/plain-answer.ts';

interface Ready {
  body: string;
  etag: string;
  /** Of every answer, and of one that has a body. */
  headers: string[];
  bodyHeaders: string[];
}

export interface ReadyAnswers {
  /** Has the library make an answer that is not there yet. */
  middleware: Middleware;
  /** Undefined while the library has not made it, and for a page of another origin (CORS stays with the library). */
  answer(request: Pick<PlainRequest, 'req' | 'path'>): PlainAnswer | undefined;
}

/**
 * Metadata (RFC 8414) and the key set (RFC 7517) change only when the keys do, and every service asks for them: the
 * library makes each once, and from then on the same bytes are sent. `maxAge`: path → seconds that others may keep it.
 */
export function createReadyAnswers(maxAge: Record<string, number>): ReadyAnswers {
  const ready = new Map<string, Ready>();

  function answer({ req, path }: Pick<PlainRequest, 'req' | 'path'>): PlainAnswer | undefined {
    const found = req.headers.origin === undefined ? ready.get(path) : undefined;
    if (!found) return undefined;
    const { body, etag, headers, bodyHeaders } = found;
    if (isKnown(req.headers['if-none-match'], etag)) return { status: 304, headers };
    return { status: 200, headers: bodyHeaders, body };
  }

  return {
    answer,
    async middleware(ctx, next) {
      const { req, path, method } = ctx;
      const seconds = method === 'GET' || method === 'HEAD' ? maxAge[path] : undefined;
      if (seconds === undefined) return next();
      const known = answer({ req, path });
      if (known) return send(ctx, known);
      await next();
      if (req.headers.origin !== undefined || ctx.status !== 200 || typeof ctx.body !== 'object' || !ctx.body) return;
      const body = JSON.stringify(ctx.body);
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
      const cache = ['Cache-Control', `public, max-age=${seconds}`, 'ETag', etag];
      const headers = [...cache, 'Access-Control-Allow-Origin', '*', 'Vary', 'Origin'];
      const bodyHeaders = [...headers, 'Content-Type', ctx.response.get('content-type')];
      ready.set(path, { body, etag, headers, bodyHeaders });
      const made = answer({ req, path });
      if (made) send(ctx, made);
    },
  };
}

/** RFC 9110 section 13.1.2: a weak comparison with a list, or with anything. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((entry) => ['*', etag, `W/${etag}`].includes(entry.trim()));
}
