import type { ClaimProfile, SigningAlg, TokenFormat } from '../kernel/access-token.ts';
import type { Clock } from '../kernel/clock.ts';
import { epochSeconds } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import { randomToken } from '../kernel/ids.ts';
import type { RequestInfo } from '../kernel/request-info.ts';
import type { Audit } from '../platform/audit/audit.ts';
import { json, type PlainAnswer, unavailable } from '../platform/web/plain-answer.ts';
import { accessTokenClaims } from './access-token-claims.ts';
import type { AccessTokenSigner } from './access-token-signer.ts';
import type { LastUse } from './client-auth/last-use.ts';
import type { AllowedPermission, ClientRecord } from './client-source.ts';
import { JWT_ALIAS, toTokenRow } from './token-row.ts';

/** What a service asked for, as far as it may have it: permissions of one API. */
export interface Granted {
  audience: string;
  scopes: string[];
  /** Seconds. */
  ttl: number;
  tokenFormat: TokenFormat;
  signingAlg: SigningAlg;
  claimProfile: ClaimProfile;
}

export interface ServiceTokens {
  /**
   * Answers with a token of the service account itself, once its row and its event are durable; with 429 or 503 where
   * they can't be. Undefined, and nothing is done, where no key for it is at hand.
   */
  answer(
    request: RequestInfo | undefined,
    record: ClientRecord,
    granted: Granted,
    grantType: string,
    /** For the event, beside what every token's event holds. */
    data?: Record<string, unknown>,
  ): Promise<PlainAnswer | undefined>;
}

/** The same rule as in resources.ts, for the case in which it has exactly one outcome: undefined for every other. */
export function grantedTo(
  { facts }: ClientRecord,
  asked: { scopes: string[] | undefined; resource: string | undefined },
): Granted | undefined {
  const { scopes, resource } = asked;
  const isAsked = (permission: AllowedPermission) => !scopes || scopes.includes(permission.name);
  const meant = facts.permissions.filter(
    (permission) => isAsked(permission) && (resource === undefined || permission.audience === resource),
  );
  const [first] = meant;
  if (!first || meant.some((permission) => permission.audience !== first.audience)) return undefined;
  const { audience, tokenTtl: ttl, tokenFormat, signingAlg, claimProfile } = first;
  return { audience, scopes: meant.map(({ name }) => name), ttl, tokenFormat, signingAlg, claimProfile };
}

/** Tokens of service accounts that are issued without the library: it holds no state that they would need. */
export function createServiceTokens(deps: {
  issuer: string;
  clock: Clock;
  audit: Audit;
  signer: (alg: SigningAlg) => Promise<AccessTokenSigner | undefined> | AccessTokenSigner | undefined;
  clientLimit: { take(key: string): Promise<void> };
  lastUse: Pick<LastUse, 'client'>;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
}): ServiceTokens {
  const { issuer, clock, audit, signer, clientLimit, lastUse, onToken } = deps;

  return {
    async answer(request, { metadata, facts }, granted, grantType, data) {
      const signs = granted.tokenFormat === 'jwt' ? await signer(granted.signingAlg) : undefined;
      if (granted.tokenFormat === 'jwt' && !signs) return undefined;

      const clientId = metadata.client_id;
      const { serviceAccount } = facts;
      const iat = epochSeconds(clock);
      const exp = iat + granted.ttl;
      const scope = granted.scopes.join(' ');
      // The value of an opaque token, which is a secret; the public identifier of a JWT.
      const id = randomToken();
      const { audience, claimProfile: profile } = granted;
      const claims = { jti: id, sub: clientId, iat, exp, scope, client_id: clientId, iss: issuer, aud: audience };
      const extra = accessTokenClaims({ clientId, client: facts, audience, granted: granted.scopes, profile });
      const row = toTokenRow(
        'ClientCredentials',
        signs ? `${JWT_ALIAS}${id}` : id,
        { clientId, iat, exp, scope, aud: audience, extra },
        {
          format: granted.tokenFormat,
          ...(signs ? { jti: id, kid: signs.kid } : {}),
          ...(serviceAccount ? { serviceAccountId: serviceAccount.id } : {}),
        },
      );
      try {
        await clientLimit.take(clientId);
        await audit.commit(
          [
            {
              action: 'token.issue',
              outcome: 'success',
              actor: { type: 'service_account', ...serviceAccount },
              clientId,
              ...(request ? { request } : {}),
              data: {
                grant_type: grantType,
                scope,
                audience,
                tokens: [{ kind: 'ClientCredentials', jti: row.jti }],
                ...data,
              },
            },
          ],
          [row],
        );
      } catch (error) {
        onToken(grantType, 'refused');
        return unavailable(error instanceof AppError ? error : new AppError('audit.unavailable', { status: 503 }));
      }
      lastUse.client(clientId);
      const token = signs ? await signs.sign({ ...extra, ...claims }) : id;
      onToken(grantType, 'success');
      return json(200, { access_token: token, expires_in: granted.ttl, scope, token_type: 'Bearer' });
    },
  };
}
