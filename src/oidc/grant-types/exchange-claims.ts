import type { AccessToken, Client, ClientCredentials } from 'oidc-provider';
import { accessTokenClaims } from '../access-token-claims.ts';
import { factsOf } from '../client-facts.ts';
import type { ExchangeNote } from '../exchange-note.ts';

/**
 * The claims of an exchanged token: those of its subject, as for a token of the subject's own, and who acts. A person's
 * sign-in is told as the subject token told it.
 */
export function exchangedClaims(
  { subject, act }: ExchangeNote,
  client: Client,
  token: AccessToken | ClientCredentials,
): Record<string, unknown> {
  const caller = factsOf(client);
  const audience = token.resourceServer?.identifier() ?? '';
  const profile = caller.permissions.find((permission) => permission.audience === audience)?.claimProfile ?? 'standard';
  const about = { clientId: client.clientId, audience, granted: [...token.scopes], profile };
  if (subject.type === 'user') {
    const { authTime, acr, amr } = subject.signIn;
    return {
      ...accessTokenClaims({ ...about, client: caller, account: subject.account }),
      ...(authTime === undefined ? {} : { auth_time: authTime }),
      ...(acr === undefined ? {} : { acr }),
      ...(amr === undefined ? {} : { amr }),
      ...('sid' in token && token.sid ? { sid: token.sid } : {}),
      act,
    };
  }
  const both = subject.facts.permissions.filter((held) =>
    caller.permissions.some(({ audience, name }) => audience === held.audience && name === held.name),
  );
  return {
    ...accessTokenClaims({ ...about, client: { ...subject.facts, permissions: both } }),
    sub: subject.sub,
    act,
  };
}
