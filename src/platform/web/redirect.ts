import type { Ctx } from './context.ts';

/** Thrown by a guard or a handler to answer 303 See Other instead of going on. */
export class Redirect extends Error {
  readonly location: string;

  constructor(location: string) {
    super('redirect');
    this.name = 'Redirect';
    this.location = location;
  }
}

/** Answers 303: the next request is a GET, and a posted credential is never sent again (RFC 9700 section 4.12). */
export function seeOther(ctx: Ctx, location: string): void {
  ctx.redirect(location);
  ctx.status = 303;
}

const BASE = 'http://postern.invalid';

/**
 * A `return_to` value as a path of our own (path and query), or `fallback`. Whatever a browser could read as another
 * origin is refused: `//host`, backslashes, control characters, schemes, and their percent-encoded forms.
 */
export function returnPath(value: unknown, fallback: string): string {
  if (typeof value !== 'string' || value.length > 2048 || !value.startsWith('/')) return fallback;
  if (looksForeign(value)) return fallback;
  let decoded = value;
  // Twice: a proxy or a router in between may decode once.
  for (let i = 0; i < 2; i++) {
    try {
      decoded = decodeURIComponent(decoded);
    } catch {
      return fallback;
    }
    if (looksForeign(decoded.split('?')[0] ?? '')) return fallback;
  }
  const url = URL.parse(value, BASE);
  if (url === null || url.origin !== BASE || url.pathname.startsWith('//')) return fallback;
  return `${url.pathname}${url.search}`;
}

function looksForeign(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return path.startsWith('//') || /[\\\u0000-\u001f\u007f]/.test(path) || path.includes('/..//');
}
