import { AppError } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';
import { holdBody, MAX_BODY } from './held-body.ts';
import { readQuery, refuseNul } from './query.ts';

const MAX_DEPTH = 10;

/**
 * Reads the body of a request to one of our routes: a form, or JSON where no browser form is involved (`csrf: false`).
 * Paths of the protocol never come here, so that oidc-provider reads its own bodies untouched.
 */
export async function readBody(ctx: Ctx, { csrf }: { csrf: boolean }): Promise<Record<string, unknown>> {
  const text = await readText(ctx);
  if (text === '' && ctx.get('content-type') === '') {
    if (csrf) ctx.state.checkCsrf(undefined);
    return {};
  }
  if (ctx.is('application/x-www-form-urlencoded')) {
    const { _csrf: token, ...fields } = readQuery(text);
    if (csrf) ctx.state.checkCsrf(token);
    refuseNul(fields);
    return fields;
  }
  if (!csrf && ctx.is('application/json')) {
    const value = parseJson(text);
    refuseNul(value);
    return value;
  }
  throw new AppError('unsupported_media_type', { status: 415 });
}

async function readText(ctx: Ctx): Promise<string> {
  if (ctx.get('content-encoding') !== '' && ctx.get('content-encoding') !== 'identity') {
    throw new AppError('unsupported_media_type', { status: 415, detail: 'content-encoding' });
  }
  const body = await holdBody(ctx);
  if (body === 'too_large') throw tooLarge(ctx);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new AppError('malformed_input', { status: 400, detail: 'the body is not UTF-8' });
  }
}

function tooLarge(ctx: Ctx): AppError {
  // The rest is not read: the connection can't serve another request after this one.
  ctx.set('Connection', 'close');
  return new AppError('body_too_large', { status: 413, params: { kib: MAX_BODY / 1024 } });
}

function parseJson(text: string): Record<string, unknown> {
  if (tooDeep(text)) throw new AppError('malformed_input', { status: 400, detail: 'JSON is nested too deeply' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('malformed_input', { status: 400, detail: 'not JSON' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('malformed_input', { status: 400, detail: 'not a JSON object' });
  }
  return value as Record<string, unknown>;
}

/** Counts brackets outside strings, before anything is built from the text. */
export function tooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      if (++depth > MAX_DEPTH) return true;
    } else if (char === '}' || char === ']') depth--;
  }
  return false;
}
