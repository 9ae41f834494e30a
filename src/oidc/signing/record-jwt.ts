import type { ClientCredentials, Configuration } from 'oidc-provider';
import { pinKey } from '../access-token-signer.ts';
import { factsOf } from '../client-facts.ts';
import { exchangedColumns, exchangeOf } from '../exchange-note.ts';
import { deferWrite } from '../request-writes.ts';
import { JWT_ALIAS, toTokenRow } from '../token-row.ts';

type Customizer = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>;

/** JWT access tokens never reach the adapter: their row is written from here. */
export function recordJwts(signers: Parameters<typeof pinKey>[1]): Customizer {
  return (ctx, token, jwt) => {
    const { jti, exp, iat } = jwt.payload as { jti: string; exp: number; iat: number };
    const kid = pinKey(token as ClientCredentials, signers);
    const facts = factsOf((token as ClientCredentials).client ?? ctx.oidc.client);
    const { format: _format, expiresIn: _expiresIn, ...stored } = token as unknown as Record<string, unknown>;
    const row = toTokenRow(
      token.kind,
      `${JWT_ALIAS}${jti}`,
      { ...stored, iat, exp },
      { format: 'jwt', jti, kid, ...(facts.serviceAccount ? { serviceAccountId: facts.serviceAccount.id } : {}) },
    );
    const exchange = exchangeOf(ctx);
    Object.assign(row, exchangedColumns(exchange));
    // The library takes the client for the subject of whatever no person stands behind.
    if (exchange?.subject.type === 'service_account') jwt.payload.sub = exchange.subject.sub;
    if (!deferWrite(ctx, row)) throw new Error('a JWT was issued outside of a request');
  };
}
