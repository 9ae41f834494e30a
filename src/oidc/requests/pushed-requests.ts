import { decodeJwt } from 'jose';
import Provider, { type Adapter, errors } from 'oidc-provider';

/**
 * Pushed authorization requests (RFC 9126) over the store of tokens. The row outlives the request_uri for as long as
 * sign-in pages that began with it can last: where it were gone, a second browser that began in time could end the
 * request once more after the first.
 *
 * `claimJti` takes a request object's jti, once for each client; false where it was taken before.
 */
export function createPushedRequestStore(
  rows: Adapter,
  options: { keepSeconds: number; claimJti: (clientId: string, jti: string, exp: number) => Promise<boolean> },
): Adapter {
  const { keepSeconds, claimJti } = options;

  return {
    ...rows,

    async upsert(id, payload, expiresIn) {
      const { clientId } = Provider.ctx?.oidc.client ?? {};
      const { jti, exp } = decodeJwt(String(payload.request));
      // The signature has been verified. In the front channel an object may come again, when a page is reloaded.
      if (clientId !== undefined && jti !== undefined && !(await claimJti(clientId, jti, Number(exp)))) {
        throw new errors.InvalidRequestObject('jti was used before');
      }
      const goodUntil = Number(payload.exp);
      await rows.upsert(id, { ...payload, clientId, goodUntil, exp: goodUntil + keepSeconds }, expiresIn);
    },

    async find(id) {
      const found = await rows.find(id);
      return found && { ...found, exp: Number(found.goodUntil) };
    },

    /** One winner (see token-store.ts). */
    async consume(id) {
      try {
        await rows.consume(id);
      } catch (error) {
        if (!(error instanceof errors.InvalidGrant)) throw error;
        throw new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used');
      }
    },
  };
}
