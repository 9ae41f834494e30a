import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Middleware } from 'koa';
import { SIGNING_ALGORITHMS } from '../kernel/access-token.ts';
import { holdBody } from '../platform/web/held-body.ts';
import { replay } from './request-body.ts';
import { allowAlias } from './request-writes.ts';
import { JWT_ALIAS } from './token-row.ts';

/** What the library makes its opaque values of. */
const OPAQUE = /^[\w-]+$/;

/**
 * The library refuses to introspect (RFC 7662) or revoke (RFC 7009) a JWT access token. This step verifies the JWT with
 * our own keys, and only then hands the library the alias by which its row is found. A token that does not verify
 * becomes one that is unknown; so does an alias that a caller made up.
 */
export function createStructuredTokens(options: {
  issuer: string;
  publicKeys: JSONWebKeySet;
  paths: string[];
  now: () => Date;
}): Middleware {
  const paths = new Set(options.paths);
  const keys = createLocalJWKSet(options.publicKeys);

  async function aliasOf(token: string): Promise<string> {
    if (OPAQUE.test(token)) return token;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: options.issuer,
        typ: 'at+jwt',
        algorithms: [...SIGNING_ALGORITHMS],
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
