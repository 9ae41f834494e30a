import type { Middleware } from 'koa';
import { holdBody } from '../platform/web/held-body.ts';
import { type AccessTokenVerifier, isOpaque } from './access-token-verifier.ts';
import { replay } from './request-body.ts';
import { allowAlias } from './request-writes.ts';
import { JWT_ALIAS } from './token-row.ts';

/**
 * The id under which a token's row is found: its own value, or the alias of a JWT whose signature was verified.
 * Undefined for anything else, an alias that a caller made up among it.
 */
export async function knownAs(
  token: string,
  verify: AccessTokenVerifier,
): Promise<{ id: string; format: 'opaque' | 'jwt' } | undefined> {
  if (isOpaque(token)) return { id: token, format: 'opaque' };
  const claims = await verify(token);
  return claims && { id: `${JWT_ALIAS}${claims.jti}`, format: 'jwt' };
}

/**
 * The library refuses to introspect (RFC 7662) or revoke (RFC 7009) a JWT access token. This step verifies the JWT with
 * our own keys, and only then hands the library the alias by which its row is found. A token that does not verify
 * becomes one that is unknown; so does an alias that a caller made up.
 */
export function createStructuredTokens(options: { verify: AccessTokenVerifier; paths: string[] }): Middleware {
  const { verify } = options;
  const paths = new Set(options.paths);

  return async (ctx, next) => {
    if (ctx.method !== 'POST' || !paths.has(ctx.path) || !ctx.is('application/x-www-form-urlencoded')) return next();
    const raw = await holdBody(ctx);
    if (raw !== 'too_large') {
      const params = new URLSearchParams(raw.toString('utf8'));
      const tokens = params.getAll('token');
      const [token] = tokens;
      // A doubled parameter is left as it is, for the library to refuse.
      if (tokens.length === 1 && token) {
        const alias = (await knownAs(token, verify))?.id ?? 'unknown';
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
