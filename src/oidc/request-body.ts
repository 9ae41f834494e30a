import { Readable } from 'node:stream';
import type { ParameterizedContext } from 'koa';

/** As much as the library itself would read. */
const LONGEST = 56 * 1024;

/** The whole body, or undefined when it is longer than the library would accept. */
export async function readWhole(request: NodeJS.ReadableStream): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST) return undefined;
    chunks.push(chunk as Buffer);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/** The library reads the request's stream itself: it gets one that holds this body. Undefined: one that is too long. */
export function replay(ctx: Pick<ParameterizedContext, 'req'>, body: Buffer | undefined): void {
  const content = body ?? Buffer.alloc(LONGEST + 1, 0x61);
  const again = Readable.from([content]);
  Object.defineProperty(ctx.req, 'readable', { value: true, configurable: true });
  Object.defineProperty(ctx.req, 'iterator', { value: again.iterator.bind(again), configurable: true });
  ctx.req.headers['content-length'] = String(content.length);
  delete ctx.req.headers['transfer-encoding'];
}
