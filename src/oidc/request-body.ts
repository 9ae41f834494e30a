import { Readable } from 'node:stream';
import type { ParameterizedContext } from 'koa';
import { type HeldBody, MAX_BODY } from '../platform/web/held-body.ts';

/** The library reads the request's stream itself: it gets one that holds this body, or one that is too long for it. */
export function replay(ctx: Pick<ParameterizedContext, 'req'>, body: HeldBody): void {
  const content = body === 'too_large' ? Buffer.alloc(MAX_BODY + 1, 0x61) : body;
  const again = Readable.from([content]);
  Object.defineProperty(ctx.req, 'readable', { value: true, configurable: true });
  Object.defineProperty(ctx.req, 'iterator', { value: again.iterator.bind(again), configurable: true });
  ctx.req.headers['content-length'] = String(content.length);
  delete ctx.req.headers['transfer-encoding'];
}
