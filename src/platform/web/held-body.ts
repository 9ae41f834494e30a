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

function read(request: Ctx['req']): Promise<HeldBody> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > MAX_BODY) return Promise.resolve('too_large');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= MAX_BODY) return;
      stop();
      request.pause();
      resolve('too_large');
    };
    const onEnd = (): void => {
      stop();
      const [only] = chunks;
      resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks));
    };
    const onGone = (cause?: unknown): void => {
      stop();
      reject(new AppError('malformed_input', { status: 400, cause, detail: 'the body ended early' }));
    };
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
