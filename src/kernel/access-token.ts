/** What an API's access tokens look like: a signed statement (RFC 9068), or a random value that is asked about. */
export const TOKEN_FORMATS = ['jwt', 'opaque'] as const;

/** Names of RFC 7518 section 3.1; EdDSA is Ed25519 (RFC 8037). An installation holds a key for each. */
export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const;

/** Which names the claims of an API's tokens have: RFC 9068's alone, or those of another product beside them. */
export const CLAIM_PROFILES = ['standard', 'keycloak', 'auth0'] as const;

export type ClaimProfile = (typeof CLAIM_PROFILES)[number];
export type TokenFormat = (typeof TOKEN_FORMATS)[number];
export type SigningAlg = (typeof SIGNING_ALGORITHMS)[number];
