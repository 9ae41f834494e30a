import type Provider from 'oidc-provider';
import { type Client, errors } from 'oidc-provider';
import { checkDpopReplay, checkDpopRequired, checkMtlsCert, validateDpop } from 'oidc-provider/lib/helpers/grants.js';
import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { AccessTokenVerifier } from '../access-token-verifier.ts';
import { factsOf, INTROSPECT, permissionsOn } from '../client-facts.ts';
import type { AllowedPermission, ClientSource } from '../client-source.ts';
import { noteExchange } from '../exchange-note.ts';
import { assertProfileSignature } from '../requests/fapi.ts';
import { toResourceServer } from '../resources.ts';
import {
  ACCESS_TOKEN,
  type ExchangeContext,
  type ExchangeRequest,
  JWT,
  PARAMETERS,
  type Params,
  type PresentedToken,
  REPEATABLE,
  readExchange,
  TOKEN_EXCHANGE,
} from './exchange-request.ts';
import { actedBy, exchangedScope, MOST_ACTORS, mayAct } from './exchange-rule.ts';
import { createSubjectTokens, type SubjectToken } from './subject-token.ts';

/** One answer for whatever is wrong with a token, so that nobody learns more of it than its API's service may. */
const NOT_VALID = 'subject_token is not valid, or not for this client';

/**
 * Token exchange (RFC 8693): a service that was called gets a token for the next one, on behalf of whoever called it.
 * What it may do follows from docs/decisions/0023-token-exchange.md.
 */
export function registerTokenExchange(
  provider: Provider,
  deps: { issuer: string; db: Database; clock: Clock; clients: ClientSource; verify: AccessTokenVerifier },
): void {
  const { issuer, clock } = deps;
  const tokens = createSubjectTokens(deps);

  async function validated(presented: PresentedToken, isAllowed: (token: SubjectToken) => string | undefined) {
    const token = await tokens.find(presented.value);
    if ('refused' in token) return token;
    if (presented.mustBeJwt && token.format !== 'jwt') return { refused: 'it is no JWT' };
    const refused = isAllowed(token);
    return refused === undefined ? token : { refused };
  }

  async function tokensOf({ subject, actor }: ExchangeRequest, client: Client): Promise<SubjectToken> {
    const [found, acting] = await Promise.all([
      validated(subject, (token) =>
        permissionsOn(client, token.audience).includes(INTROSPECT) || mayAct(token.mayAct, client.clientId, issuer)
          ? undefined
          : 'this client does not serve its API',
      ),
      actor && validated(actor, (token) => (isOwn(token, client) ? undefined : 'it does not speak for this client')),
    ]);
    if ('refused' in found) throw new errors.InvalidRequest(NOT_VALID, undefined, { detail: found.refused });
    if (acting && 'refused' in acting) {
      const detail = `actor_token: ${acting.refused}`;
      throw new errors.InvalidRequest('actor_token is not a valid token of this client', undefined, { detail });
    }
    return found;
  }

  async function exchange(ctx: ExchangeContext): Promise<void> {
    const { client } = ctx.oidc;
    if (client.clientAuthMethod === 'none') throw new errors.UnauthorizedClient('a public client may not exchange');
    const request = readExchange(ctx.oidc);
    const dPoP = await validateDpop(provider, ctx);
    const found = await tokensOf(request, client);

    const act = actedBy(client.clientId, found.act);
    if (!act) throw new errors.InvalidRequest(`a token passes through ${MOST_ACTORS} services at the most`);
    noteExchange(ctx, { subject: found.subject, act, parentJti: found.jti });

    const permission = targetOf(client, request);
    assertProfileSignature(client, permission);
    const { audience } = permission;
    const caller = factsOf(client);
    const { subject, consented, scopes: subjectScopes } = found;
    const scopes = exchangedScope({ requested: request.scopes, audience, caller, subject, consented, subjectScopes });
    if (scopes.length === 0) {
      const asked = request.scopes?.join(' ') ?? '';
      throw new errors.InvalidScope('nothing of what was asked for may be done on behalf of this subject', asked);
    }

    const iat = epochSeconds(clock);
    const exp = Math.min(found.exp, iat + permission.tokenTtl);
    if (exp <= iat) throw new errors.InvalidRequest(NOT_VALID, undefined, { detail: 'it has expired' });
    const common = {
      client,
      iat,
      exp,
      scope: scopes.join(' '),
      resourceServer: new provider.ResourceServer(audience, toResourceServer(permission, scopes)),
    };
    const token =
      subject.type === 'user'
        ? new provider.AccessToken({
            ...common,
            accountId: subject.id,
            grantId: found.grantId ?? '',
            sessionUid: found.sessionUid,
            // A session that nobody uses ends without a word to its tokens: each is asked about it.
            ...(found.endsWithSession && { expiresWithSession: true }),
            sid: found.sid,
            gty: TOKEN_EXCHANGE,
          })
        : new provider.ClientCredentials(common);

    const certificate = checkMtlsCert(provider, ctx);
    if (certificate) token.setThumbprint('x5t', certificate);
    if (dPoP) {
      await checkDpopReplay(provider, ctx, dPoP, client.clientId);
      token.setThumbprint('jkt', dPoP.thumbprint);
    }
    checkDpopRequired(provider, ctx, dPoP);
    // Otherwise an exchange would take from a token what protects it once it is stolen.
    if (found.bound && !token.isSenderConstrained()) {
      throw new errors.InvalidRequest('a sender-constrained subject_token needs a DPoP proof or a certificate');
    }

    ctx.body = {
      access_token: await token.save(),
      issued_token_type: request.asJwt ? JWT : ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: exp - iat,
      scope: common.scope,
    };
  }

  provider.registerGrantType<Params>(TOKEN_EXCHANGE, exchange, PARAMETERS, REPEATABLE);
}

/** A token that the client got for itself. */
function isOwn({ subject, clientId }: SubjectToken, client: Client): boolean {
  return clientId === client.clientId && subject.type === 'service_account' && subject.sub === client.clientId;
}

/**
 * The API, by a permission of the client's on it. One that does not exist, one without a rule and one on which the
 * client holds nothing look alike.
 */
function targetOf(client: Client, { target, asJwt }: ExchangeRequest): AllowedPermission {
  const { exchange, permissions } = factsOf(client);
  const permission = exchange.includes(target) ? permissions.find(({ audience }) => audience === target) : undefined;
  if (!permission) {
    throw new errors.InvalidTarget('this client may not exchange tokens for that API, or holds no permission on it');
  }
  if (asJwt && permission.tokenFormat !== 'jwt') {
    throw new errors.InvalidRequest('the tokens of that API are no JWTs: leave requested_token_type out');
  }
  return permission;
}
