import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { REFUSED_HEADERS } from '../assertions.ts';
import { fapiAlgorithmProblem, isFapi } from './fapi.ts';

/** Signatures that a request object may carry (RFC 9101 section 10.2); the client's key decides which it can make. */
export const REQUEST_ALGORITHMS = ['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA'] as const;

/** Seconds that a request object may still be good for. A browser brings it at once. */
const LONGEST = 600;

/** RFC 9101 section 10.8; before that there was no type, or the one of every JWT. */
const TYPES = ['jwt', 'oauth-authz-req+jwt'];

/** What more a signed request at the backchannel endpoint has to say (CIBA Core section 7.1.1). */
const BACKCHANNEL_CLAIMS = ['iat', 'nbf', 'jti'];

/** FAPI 2.0 Message Signing section 5.3.1. */
const FAPI_CLAIMS = ['nbf'];

/**
 * What is wrong with a request object, beside its signature and its `iss` and `aud`, which the library checks: a text
 * for the client's programmer, or undefined.
 */
export function requestObjectProblem(
  object: { claims: Record<string, unknown>; header: Record<string, unknown> },
  expected: { clientId: string; required: readonly string[]; now: number; tolerance: number },
): string | undefined {
  const { claims, header } = object;
  const { clientId, required, now, tolerance } = expected;
  const { exp, iat, sub } = claims;
  const missing = ['exp', ...required].find((name) => claims[name] === undefined);
  if (missing !== undefined) return `${missing} is missing`;
  if (typeof exp !== 'number' || exp > now + LONGEST + tolerance) return 'exp is too far away';
  if (typeof iat === 'number' && iat > now + tolerance) return 'iat is in the future';
  // An assertion of the client's has its own name as the subject: the one is never taken for the other.
  if (sub === clientId) return 'sub must not be the client_id';
  if (header.typ !== undefined && !isType(header.typ)) return 'typ is not that of a request object';
  const refused = REFUSED_HEADERS.find((name) => header[name] !== undefined);
  return refused === undefined ? undefined : `${refused} is not allowed in the header`;
}

function isType(typ: unknown): boolean {
  return typeof typ === 'string' && TYPES.includes(typ.toLowerCase().replace(/^application\//, ''));
}

/** For the library's option `assertJwtClaimsAndHeader` of request objects (RFC 9101). */
export function createRequestObjectCheck(options: { now: () => number; tolerance: number }) {
  return (
    ctx: KoaContextWithOIDC,
    claims: Record<string, unknown>,
    header: Record<string, unknown>,
    client: Client,
  ): void => {
    // What was pushed has been checked when it was, and a plain request is stored as an object without a signature.
    if (ctx.oidc.entities.PushedAuthorizationRequest) return;
    const { route } = ctx.oidc;
    const required = [
      ...(route === 'backchannel_authentication' ? BACKCHANNEL_CLAIMS : []),
      ...(isFapi(client) ? FAPI_CLAIMS : []),
    ];
    const now = options.now();
    const problem =
      requestObjectProblem(
        { claims, header },
        { clientId: client.clientId, required, now, tolerance: options.tolerance },
      ) ?? fapiAlgorithmProblem(client, header.alg);
    if (problem !== undefined) throw new errors.InvalidRequestObject(problem);
    // A pushed request lives no longer than its object: one that ends now would be stored for no time.
    if (route === 'pushed_authorization_request' && Number(claims.exp) <= now) {
      throw new errors.InvalidRequestObject('exp is in the past');
    }
  };
}
