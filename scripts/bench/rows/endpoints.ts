import {
  codeExchange,
  documentAt,
  introspectJwt,
  introspectOpaque,
  type Load,
  refresh,
  revocation,
  userinfo,
} from '../loads.ts';
import { type Measure, measureAgainst } from './row.ts';

/** The same load on product and bare. */
function againstBare(load: Load): Measure {
  return (stage, effort, name) => measureAgainst(stage, effort, name, { product: load, bare: load });
}

/** The floor sends the very bytes that the product does. */
function document(path: string): Measure {
  const load = documentAt(path);
  return (stage, effort, name) => measureAgainst(stage, effort, name, { product: load, bare: load, floor: load });
}

export const introspectOpaqueRow = againstBare(introspectOpaque);
export const userinfoRow = againstBare(userinfo);
export const refreshRow = againstBare(refresh);
export const metadata = document('/.well-known/openid-configuration');
export const jwks = document('/oauth2/jwks');

export const introspectJwtRow: Measure = async (stage, effort, name) => ({
  ...(await measureAgainst(stage, effort, name, { product: introspectJwt, bare: introspectOpaque })),
  note: 'bare introspects an opaque token: it refuses JWTs',
});

export const codeExchangeRow: Measure = async (stage, effort, name) => {
  const load = codeExchange(effort.once);
  const row = await measureAgainst(stage, effort, name, { product: load, bare: load });
  return { ...row, note: `slices of ${effort.once} codes` };
};

export const revoke: Measure = async (stage, effort, name) => {
  const loads = { product: revocation(effort.once, ''), bare: revocation(effort.once, '/opaque') };
  const row = await measureAgainst(stage, effort, name, loads);
  return { ...row, note: `slices of ${effort.once} tokens; JWTs in the product, opaque ones in bare` };
};
