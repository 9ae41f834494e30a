import type { SigningAlg } from './access-token.ts';

/**
 * Switches of the protocol that an admin sets for one client. Each is off, or empty, where it is left out; the names of
 * the registered metadata (RFC 7591 and its successors) stand beside them.
 */
export interface ClientSettings {
  /** Its tokens are bound to its certificate (RFC 8705 section 3.4, tls_client_certificate_bound_access_tokens). */
  certificateBound?: boolean;
  /** It has to send a DPoP proof (RFC 9449 section 5.2, dpop_bound_access_tokens). */
  dpopBound?: boolean;
  /** Signs introspection answers that it asks for as JWTs (RFC 9701 section 6, introspection_signed_response_alg). */
  introspectionAlg?: SigningAlg;
  /** Authorization requests have to be pushed first (RFC 9126 section 6, require_pushed_authorization_requests). */
  requirePushedRequests?: boolean;
  /** Authorization requests have to be signed (RFC 9101 section 10.5, require_signed_request_object). */
  requireSignedRequests?: boolean;
  /** Answers to authorization requests come as a JWT (JARM, authorization_signed_response_alg). */
  signedResponses?: boolean;
  /** It may use the parameter `claims` (OpenID Connect Core section 5.5). */
  claimsParameter?: boolean;
  /** The authorization details that it may ask for (RFC 9396 section 10, authorization_details_types). */
  authorizationDetailTypes?: string[];
  /** It may ask a person to approve on another device (CIBA, poll mode). */
  backchannelAuthentication?: boolean;
  /** It did not register the grant type refresh_token, and gets none (RFC 7591 section 2). */
  noRefreshTokens?: boolean;
  /** Everything weaker than the FAPI 2.0 security profile is refused. */
  fapi?: boolean;
  /** Which certificate is its own, for tls_client_auth (RFC 8705 section 2.1.2): exactly one of these. */
  certificateSubject?: { kind: 'subject_dn' | 'san_dns' | 'san_uri' | 'san_ip' | 'san_email'; value: string };
}
