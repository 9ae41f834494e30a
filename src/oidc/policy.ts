import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { factsOf } from './client-facts.ts';

const { base, Check } = interactionPolicy;

/** Authentication context of a sign-in with a password and a second factor (OpenID Connect Core section 2, acr). */
export const ACR_TWO_FACTORS = 'urn:postern:aal2';

const needsLogin = (ctx: KoaContextWithOIDC): boolean => {
  const { session, account, result } = ctx.oidc;
  if (session?.accountId === undefined) return false;
  return account === undefined || (result?.login === undefined && session.acr !== ACR_TWO_FACTORS);
};

const asksAlways = (ctx: KoaContextWithOIDC): boolean => {
  const { client, result } = ctx.oidc;
  return client?.clientAuthMethod === 'none' && !factsOf(client).firstParty && result?.consent === undefined;
};

/** Which pages an authorization request has to pass before a code is issued. */
export function createPolicy() {
  const policy = base();
  // A session that is not two factors strong, or whose person may no longer sign in, doesn't count.
  policy
    .get('login')
    ?.checks.add(
      new Check('session_insufficient', 'a sign-in with a second factor is required', 'login_required', (ctx) =>
        needsLogin(ctx) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
      ),
    );
  const consent = policy.get('consent');
  consent?.checks.remove('native_client_prompt');
  // Anybody can claim to be a public client: what was allowed once is no proof of who asks now (RFC 6749 section 10.2).
  consent?.checks.add(
    new Check('public_client', 'public clients always ask', 'consent_required', (ctx) =>
      asksAlways(ctx) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
    ),
  );
  return policy;
}
