import type { RequestListener } from 'node:http';
import { decodeJwt } from 'jose';
import inject from 'light-my-request';
import type { Needs } from '../features/console/needs.ts';
import type { Config } from '../platform/config/schema.ts';

/**
 * The console's code is redeemed at our own token endpoint like any client's, with the same checks, rows and events,
 * but without a connection: the process need not reach itself under its public name.
 */
export function createRedeem(config: Config, listener: () => RequestListener): Needs['redeem'] {
  return async (ctx, { code, verifier, redirectUri, clientId }) => {
    const response = await inject(listener() as Parameters<typeof inject>[0], {
      method: 'POST',
      url: '/oauth2/token',
      remoteAddress: ctx.state.request.address,
      headers: {
        host: config.issuerUrl.host,
        'user-agent': ctx.state.request.userAgent,
        'content-type': 'application/x-www-form-urlencoded',
      },
      payload: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: clientId,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        code,
      }).toString(),
    });
    if (response.statusCode !== 200) return undefined;
    const { id_token: idToken } = response.json<{ id_token?: string }>();
    if (!idToken) return undefined;
    // Straight from our own endpoint: there is nobody in between whose word would have to be checked.
    const { sub, nonce } = decodeJwt(idToken);
    return sub === undefined ? undefined : { sub, nonce: typeof nonce === 'string' ? nonce : undefined };
  };
}
