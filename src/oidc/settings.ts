import type { JWK } from 'jose';
import { type AdapterFactory, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { SIGNING_ALGORITHMS } from '../kernel/access-token.ts';
import { isCompactJws } from '../kernel/compact-jws.ts';
import type { Config } from '../platform/config/schema.ts';
import type { AccountSource } from './account-source.ts';
import { ASSERTION_ALGORITHMS, assertionProblem } from './assertions.ts';
import { CLAIMS, createFindAccount, extraTokenClaims } from './claims.ts';
import { type MutualTls, TLS_METHODS } from './client-auth/certificates.ts';
import { factsOf } from './client-facts.ts';
import { loadExistingGrant } from './grants.ts';
import { mayIntrospect } from './introspection-policy.ts';
import { ACR_TWO_FACTORS, createPolicy } from './policy.ts';
import type { RegistrationEndpoints } from './registration/endpoints.ts';
import { type BackchannelNeeds, backchannel, backchannelTtl, mayRefresh } from './requests/backchannel.ts';
import { assertClaimsParameter } from './requests/claims-parameter.ts';
import { RESPONSE_ALGORITHM } from './requests/client-metadata.ts';
import type { DetailTypeMap } from './requests/detail-types.ts';
import { fapiAlgorithmProblem, fapiProfile, rotatesRefreshToken } from './requests/fapi.ts';
import { createRequestObjectCheck, REQUEST_ALGORITHMS } from './requests/request-object.ts';
import { assertRefreshedDetails, richRequests, withApiOfDetails } from './requests/rich-requests.ts';
import { assertRefreshGives, defaultResource, getResourceServerInfo } from './resources.ts';
import { dpop } from './sender/dpop.ts';
import { PROOF_ALGORITHMS } from './sender/dpop-proof.ts';

export const PATHS = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  userinfo: '/oauth2/userinfo',
  introspection: '/oauth2/introspect',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/par',
  jwks: '/oauth2/jwks',
  device_authorization: '/oauth2/device_authorization',
  code_verification: '/oauth2/device',
  end_session: '/oauth2/logout',
  registration: '/oauth2/register',
  backchannel_authentication: '/oauth2/backchannel_authentication',
};

/** What each endpoint answers to; any other method gets 405 (RFC 9110 section 15.5.6). */
export const METHODS: Record<string, string[]> = {
  [PATHS.authorization]: ['GET', 'POST'],
  [PATHS.token]: ['POST', 'OPTIONS'],
  [PATHS.userinfo]: ['GET', 'POST', 'OPTIONS'],
  [PATHS.introspection]: ['POST', 'OPTIONS'],
  [PATHS.revocation]: ['POST', 'OPTIONS'],
  [PATHS.pushed_authorization_request]: ['POST', 'OPTIONS'],
  [PATHS.jwks]: ['GET', 'OPTIONS'],
  // Confidential clients alone come here: no page of another origin does.
  [PATHS.backchannel_authentication]: ['POST'],
  [PATHS.end_session]: ['GET'],
  [`${PATHS.end_session}/confirm`]: ['POST'],
  [`${PATHS.end_session}/success`]: ['GET'],
  '/.well-known/openid-configuration': ['GET', 'OPTIONS'],
  '/.well-known/oauth-authorization-server': ['GET', 'OPTIONS'],
};

/** Where an authorization request goes on after its pages. */
export const RESUME = new RegExp(`^${PATHS.authorization}/[\\w-]+$`);

const HOUR = 3600;
const DAY = 24 * HOUR;
/** From the first token of a family on; rotation does not extend it (RFC 9700 section 4.14.2). */
const REFRESH_TOKEN = 14 * DAY;
/** Lifetime of an access token that belongs to no API (for userinfo). */
const ACCESS_TOKEN = 300;
/** RFC 6749 section 4.1.2 recommends ten minutes at the most; a minute serves. */
const AUTHORIZATION_CODE = 60;
const ID_TOKEN = HOUR;
/** Bytes of a document that an address from metadata leads to. */
const MOST_FETCHED = 64 * 1024;
/** How far the clock of another machine may be ahead of, or behind, this one's. */
const CLOCK_TOLERANCE = 10;
export const INTERACTION_SECONDS = HOUR / 2;

export interface ProviderPages {
  error(ctx: KoaContextWithOIDC, problem: { error: string; error_description?: string | undefined }): void;
  confirmSignOut(ctx: KoaContextWithOIDC, form: string): void;
  signedOut(ctx: KoaContextWithOIDC): void;
}

export interface SettingsInput {
  config: Config;
  jwks: { keys: JWK[] };
  cookieKeys: string[];
  /** 32 bytes, the same in every process. */
  dpopNonceKey: Buffer;
  adapter: AdapterFactory;
  accounts: AccountSource;
  pages: ProviderPages;
  mutualTls: MutualTls;
  /** Undefined: nothing registers itself. */
  registration?: RegistrationEndpoints | undefined;
  detailTypes: DetailTypeMap;
  backchannel: BackchannelNeeds;
  /** Guarded: what it asks is known by metadata alone. It needs none of the dispatcher that the library makes. */
  fetch: NonNullable<Configuration['fetch']>;
  now: () => Date;
  recordJwt: NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>;
}

/** Every option of the library that Postern sets, in one place. What is not on is listed as off where its default is on. */
export function settings(input: SettingsInput): Configuration {
  const { config, pages, now, mutualTls } = input;
  const cookie = { signed: true, httpOnly: true, sameSite: 'lax' as const, secure: config.secure, overwrite: true };
  const seconds = () => Math.floor(now().getTime() / 1000);

  return {
    adapter: input.adapter,
    jwks: input.jwks as NonNullable<Configuration['jwks']>,
    routes: PATHS,
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access', 'profile', 'email', 'roles', 'groups'],
    claims: CLAIMS,
    acrValues: [ACR_TWO_FACTORS],
    subjectTypes: ['public'],
    // ID tokens carry what their scopes give, so that an application needs no second request.
    conformIdTokenClaims: false,
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    pkce: { required: () => true },
    clientAuthMethods: [
      ...(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const),
      ...(mutualTls.enabled ? TLS_METHODS : []),
    ],
    discovery: mutualTls.metadata(PATHS, (path) => path in METHODS),
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      introspection_signed_response_alg: 'ES256',
      authorization_signed_response_alg: RESPONSE_ALGORITHM,
    },
    enabledJWA: {
      clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS],
      idTokenSigningAlgValues: ['ES256', 'RS256'],
      requestObjectSigningAlgValues: [...REQUEST_ALGORITHMS],
      authorizationSigningAlgValues: [RESPONSE_ALGORITHM],
      introspectionSigningAlgValues: [...SIGNING_ALGORITHMS],
      dPoPSigningAlgValues: [...PROOF_ALGORITHMS],
    },
    clockTolerance: CLOCK_TOLERANCE,
    fetch: input.fetch,
    fetchResponseBodyLimits: { jwks_uri: MOST_FETCHED, sector_identifier_uri: MOST_FETCHED },
    assertJwtClientAuthClaimsAndHeader(ctx, claims, header, client) {
      const compact = String(ctx.oidc.params?.client_assertion);
      const problem =
        (isCompactJws(compact) ? undefined : 'it is not written as a JWS has to be') ??
        assertionProblem(
          { claims, header },
          { issuer: config.issuer, clientId: client.clientId, now: seconds(), tolerance: CLOCK_TOLERANCE },
        ) ??
        fapiAlgorithmProblem(client, header.alg);
      if (problem !== undefined) throw new errors.InvalidClientAuth(problem);
    },
    clientBasedCORS(_ctx, origin, client) {
      if (origin === 'null' || client.clientAuthMethod !== 'none') return false;
      return (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin);
    },

    findAccount: createFindAccount(input.accounts),
    extraTokenClaims,
    loadExistingGrant,
    interactions: { policy: createPolicy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => pages.error(ctx, out),

    // A refresh token without offline_access ends with the session; one with it was consented to as such.
    issueRefreshToken: async (_ctx, client, source) => client.grantTypeAllowed('refresh_token') && mayRefresh(source),
    expiresWithSession: async (_ctx, source) => !source.scopes.has('offline_access'),
    async rotateRefreshToken(ctx) {
      await assertRefreshGives(ctx);
      assertRefreshedDetails(ctx);
      return rotatesRefreshToken(ctx);
    },

    formats: { customizers: { jwt: input.recordJwt } },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ACCESS_TOKEN,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ACCESS_TOKEN,
      AuthorizationCode: AUTHORIZATION_CODE,
      BackchannelAuthenticationRequest: backchannelTtl,
      IdToken: ID_TOKEN,
      RefreshToken: (ctx) => ctx.oidc.entities.RotatedRefreshToken?.remainingTTL ?? REFRESH_TOKEN,
      Interaction: INTERACTION_SECONDS,
      // The grant has to outlive the refresh tokens that one session can bring forth.
      Grant: REFRESH_TOKEN + config.sessionAbsoluteSeconds + DAY,
      Session: (_ctx, session) => {
        const began = session.loginTs ?? seconds();
        return Math.max(1, Math.min(config.sessionIdleSeconds, began + config.sessionAbsoluteSeconds - seconds()));
      },
    },

    cookies: {
      keys: input.cookieKeys,
      // Two of them are bound to the path of one flow, which the __Host- prefix does not allow.
      names: config.secure
        ? { session: '__Host-postern_session', interaction: '__Secure-postern_flow', resume: '__Secure-postern_resume' }
        : { session: 'postern_session', interaction: 'postern_flow', resume: 'postern_resume' },
      long: cookie,
      short: cookie,
    },

    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true, assertClaimsParameter },
      clientCredentials: { enabled: true },
      userinfo: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo,
        defaultResource: withApiOfDetails(input.detailTypes, defaultResource),
        useGrantedResource: async () => true,
      },
      introspection: {
        enabled: true,
        allowedPolicy: async (ctx, client, token) =>
          mayIntrospect(
            { clientId: client.clientId, isPublic: client.clientAuthMethod === 'none', facts: factsOf(client) },
            {
              clientId: token.clientId,
              audience: 'aud' in token && typeof token.aud === 'string' ? token.aud : undefined,
            },
          ) &&
          // One that was disabled a moment ago is not found, which the library does not expect.
          (await ctx.oidc.provider.Client.find(token.clientId ?? '')) !== undefined,
      },
      // RFC 9701: an answer that a service can keep as evidence, for those that ask for it in Accept.
      jwtIntrospection: { enabled: true },
      // A token of somebody else's is left alone, and its holder learns nothing (RFC 7009 section 2.2).
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => pages.confirmSignOut(ctx, form),
        postLogoutSuccessSource: (ctx) => pages.signedOut(ctx),
      },
      richAuthorizationRequests: richRequests(input.detailTypes),
      ciba: backchannel(input.backchannel),
      dPoP: dpop(input.dpopNonceKey, seconds),
      pushedAuthorizationRequests: { enabled: true },
      // By value only: no address that a request names is ever fetched (RFC 9101 section 10.4.1).
      requestObjects: {
        enabled: true,
        assertJwtClaimsAndHeader: createRequestObjectCheck({ now: seconds, tolerance: CLOCK_TOLERANCE }),
      },
      jwtResponseModes: { enabled: true },
      fapi: { enabled: true, profile: fapiProfile },
      mTLS: mutualTls.features,
      ...input.registration?.features,
      backchannelLogout: { enabled: false },
    },
  };
}
