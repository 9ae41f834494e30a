import { INTROSPECT } from './client-facts.ts';
import type { ClientFacts } from './client-source.ts';

/**
 * RFC 7662 section 2.1: whoever asks has to prove who they are, for their own tokens too. Beyond those, they learn of
 * tokens for an API that they serve.
 */
export function mayIntrospect(
  caller: { clientId: string; isPublic: boolean; facts: ClientFacts },
  token: { clientId: string | undefined; audience: string | undefined },
): boolean {
  if (caller.isPublic) return false;
  if (token.clientId === caller.clientId) return true;
  return caller.facts.permissions.some(({ audience, name }) => audience === token.audience && name === INTROSPECT);
}
