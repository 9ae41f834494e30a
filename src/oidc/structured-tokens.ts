import { Readable } from 'node:stream';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Middleware } from 'koa';
import { JWT_ALIAS } from './token-row.ts';

/** As much as the library itself would read. */
const LONGEST_BODY = 56 * 1024;

async function readAll(request: NodeJS.ReadableStream): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST_BODY) return undefined;
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

/**
 * The library refuses to introspect (RFC 7662) or revoke (RFC 7009) a JWT access token. This step verifies the JWT with
 * our own keys, and only then hands the library the alias by which its row is found. A token that does not verify
 * becomes one that is unknown; so does an alias that a caller made up.
 */
export function createStructuredTokens(options: {
  issuer: string;
  publicKeys: () => JSONWebKeySet;
  paths: string[];
  now: () => Date;
}): Middleware {
  const paths = new Set(options.paths);

  async function aliasOf(token: string): Promise<string> {
    if (!/^[\w-]+\.[\w-]*\.[\w-]+$/.test(token)) return token.startsWith(JWT_ALIAS) ? 'unknown' : token;
    try {
      const keys = createLocalJWKSet(options.publicKeys());
      const { payload } = await jwtVerify(token, keys, {
        issuer: options.issuer,
        typ: 'at+jwt',
        algorithms: ['ES256', 'RS256'],
        currentDate: options.now(),
        requiredClaims: ['jti', 'exp', 'client_id'],
      });
      return `${JWT_ALIAS}${payload.jti}`;
    } catch {
      return 'unknown';
    }
  }

  return async (ctx, next) => {
    if (ctx.method !== 'POST' || !paths.has(ctx.path) || !ctx.is('application/x-www-form-urlencoded')) return next();
    const raw = await readAll(ctx.req);
    let body = raw ?? Buffer.alloc(LONGEST_BODY + 1, 0x61);
    if (raw) {
      const params = new URLSearchParams(raw.toString('utf8'));
      const tokens = params.getAll('token');
      const [token] = tokens;
      // A doubled parameter is left as it is, for the library to refuse.
      if (tokens.length === 1 && token) {
        const alias = await aliasOf(token);
        if (alias !== token) {
          params.set('token', alias);
          body = Buffer.from(params.toString());
        }
      }
    }
    // The library reads the request's stream itself; it gets one that holds the body again.
    const again = Readable.from([body]);
    Object.defineProperty(ctx.req, 'readable', { value: true, configurable: true });
    Object.defineProperty(ctx.req, 'iterator', { value: again.iterator.bind(again), configurable: true });
    ctx.req.headers['content-length'] = String(body.length);
    delete ctx.req.headers['transfer-encoding'];
    return next();
  };
}
