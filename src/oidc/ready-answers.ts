import { createHash } from 'node:crypto';
import type { Middleware } from 'koa';

interface Ready {
  body: Buffer;
  type: string;
  etag: string;
}

/**
 * Metadata (RFC 8414) and the key set (RFC 7517) change only when the keys do, and every service asks for them: the
 * library makes each once, and from then on the same bytes are sent. `maxAge`: path → seconds that others may keep it.
 */
export function createReadyAnswers(maxAge: Record<string, number>): Middleware {
  const ready = new Map<string, Ready>();

  return async (ctx, next) => {
    const seconds = ctx.method === 'GET' || ctx.method === 'HEAD' ? maxAge[ctx.path] : undefined;
    // CORS (a page of another origin asks) stays with the library.
    if (seconds === undefined || ctx.headers.origin !== undefined) return next();
    let answer = ready.get(ctx.path);
    if (!answer) {
      await next();
      if (ctx.status !== 200 || typeof ctx.body !== 'object' || ctx.body === null) return;
      const body = Buffer.from(JSON.stringify(ctx.body));
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
      answer = { body, etag, type: ctx.response.get('content-type') };
      ready.set(ctx.path, answer);
    }
    ctx.set({ 'Cache-Control': `public, max-age=${seconds}`, ETag: answer.etag, 'Content-Type': answer.type });
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.vary('Origin');
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.body = answer.body;
  };
}
