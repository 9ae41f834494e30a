import type { Middleware } from 'koa';
import { holdBody } from '../platform/web/held-body.ts';
import { type AccessTokenVerifier, isOpaque } from './access-token-verifier.ts';
import { replay } from './request-body.ts';
import { allowAlias } from './request-writes.ts';
import { JWT_ALIAS } from './token-row.ts';

/**
 * The library refuses to introspect (RFC 7662) or revoke (RFC 7009) a JWT access token. This step verifies the JWT with
 * our own keys, and only then hands the library the alias by which its row is found. A token that does not verify
 * becomes one that is unknown; so does an alias that a caller made up.
 */
export function createStructuredTokens(options: { verify: AccessTokenVerifier; paths: string[] }): Middleware {
  const { verify } = options;
  const paths = new Set(options.paths);

  async function aliasOf(token: string): Promise<string> {
    if (isOpaque(token)) return token;
    const claims = await verify(token);
    return claims ? `${JWT_ALIAS}${claims.jti}` : 'unknown';
  }

  return async (ctx, next) => {
    if (ctx.method !== 'POST' || !paths.has(ctx.path) || !ctx.is('application/x-www-form-urlencoded')) return next();
    const raw = await holdBody(ctx);
    if (raw !== 'too_large') {
      const params = new URLSearchParams(raw.toString('utf8'));
      const tokens = params.getAll('token');
      const [token] = tokens;
      // A doubled parameter is left as it is, for the library to refuse.
      if (tokens.length === 1 && token) {
        const alias = await aliasOf(token);
        if (alias !== token) {
          allowAlias(ctx, alias);
          params.set('token', alias);
          replay(ctx, Buffer.from(params.toString()));
        }
      }
    }
    return next();
  };
}
