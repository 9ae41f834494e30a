import type { ClientMetadata } from 'oidc-provider';
import type { ClientSettings } from '../../kernel/client-settings.ts';

/** What signs the answers of JARM. */
export const RESPONSE_ALGORITHM = 'ES256';

/** How the answer to an authorization request may travel: as parameters, or as one JWT (JARM section 2.3). */
const PLAIN_MODES = ['query', 'fragment', 'form_post'];
/** `query` is what a request means that names no mode: it is answered by a JWT in the query. */
const SIGNED_MODES = ['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'query'];

/** An admin's switches in the words of registered metadata (RFC 7591 section 2 and its successors). */
export function protocolMetadata(settings: ClientSettings, type: 'application' | 'service'): Partial<ClientMetadata> {
  const { fapi = false, certificateBound = false, signedResponses = false } = settings;
  const common = {
    tls_client_certificate_bound_access_tokens: certificateBound,
    // FAPI 2.0 Security Profile section 5.3.2.1: whatever a row says, no token without a key that it is bound to.
    dpop_bound_access_tokens: settings.dpopBound === true || (fapi && !certificateBound),
    ...(settings.introspectionAlg ? { introspection_signed_response_alg: settings.introspectionAlg } : {}),
  };
  if (type === 'service') return common;
  return {
    ...common,
    require_pushed_authorization_requests: settings.requirePushedRequests === true || fapi,
    require_signed_request_object: settings.requireSignedRequests === true,
    response_modes: signedResponses ? SIGNED_MODES : PLAIN_MODES,
    authorization_signed_response_alg: RESPONSE_ALGORITHM,
    ...(settings.backchannelAuthentication ? { backchannel_token_delivery_mode: 'poll' as const } : {}),
  } as Partial<ClientMetadata>;
}

/** FAPI 2.0 Security Profile section 5.3.2.1: how a client may authenticate. */
const FAPI_AUTHENTICATION: readonly string[] = ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'];

/**
 * Whether a stored client that stands under the profile can hold it. The pages refuse any other; a row that came to be
 * by another way is no client at all.
 */
export function holdsProfile(settings: ClientSettings, authMethod: string): boolean {
  return settings.fapi !== true || FAPI_AUTHENTICATION.includes(authMethod);
}
