import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';

/** Bytes; the same limit as oidc-provider has on its own endpoints. */
export const MAX_BODY = 56 * 1024;

/** What a request brought with it: its bytes, or `too_large` when it was longer than MAX_BODY and not read to its end. */
export type HeldBody = Buffer | 'too_large';

const held = new WeakMap<object, Promise<HeldBody>>();

/**
 * Reads the body once, whoever asks first; it is empty where there is none. Done before a request takes its place among
 * those that are worked on, so that slow senders hold nothing but their own connection.
 * @throws malformed_input (400) when the sender went away in the middle
 */
export function holdBody(ctx: Pick<Ctx, 'req'>): Promise<HeldBody> {
  const { req } = ctx;
  const known = held.get(req);
  if (known) return known;
  const body = read(req);
  held.set(req, body);
  return body;
}

async function read(request: Ctx['req']): Promise<HeldBody> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > MAX_BODY) return 'too_large';
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length;
      if (length > MAX_BODY) return 'too_large';
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw new AppError('malformed_input', { status: 400, cause, detail: 'the body ended early' });
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
