import type { ParameterizedContext } from 'koa';
import { errors } from 'oidc-provider';

export interface BearerRequest {
  assertion: string;
  scopes: string[] | undefined;
  resource: string | undefined;
  clientId: string | undefined;
}

/** What would be client authentication, or a key to bind the token to: neither has a place beside the assertion. */
const REFUSED_HEADERS = ['authorization', 'dpop', 'oauth-client-attestation', 'oauth-client-attestation-pop'];
const REFUSED = ['client_secret', 'client_assertion', 'client_assertion_type', 'authorization_details'];
const KNOWN = ['assertion', 'scope', 'client_id', ...REFUSED];

/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;
const MAX_SCOPE = 1024;
const MAX_CLIENT_ID = 256;

/**
 * The parameters of RFC 7523 section 2.1. As at the library's grants an empty one counts as left out, a doubled one is
 * refused, and an unknown one is passed over.
 */
export function readBearerRequest(ctx: ParameterizedContext, params: URLSearchParams): BearerRequest {
  const given = (name: string) => params.get(name) || undefined;
  const doubled = KNOWN.find((name) => params.getAll(name).length > 1);
  if (doubled !== undefined) throw new errors.InvalidRequest(`'${doubled}' parameter must not be provided twice`);
  if (params.getAll('resource').length > 1) {
    throw new errors.InvalidTarget('only a single resource indicator value is supported for this grant type');
  }
  if (ctx.querystring !== '') throw new errors.InvalidRequest('parameters belong into the body');
  const header = REFUSED_HEADERS.find((name) => ctx.headers[name] !== undefined);
  const refused = header ?? REFUSED.find((name) => given(name) !== undefined);
  if (refused !== undefined) throw new errors.InvalidRequest(`'${refused}' has no place in a request of this grant`);
  const assertion = given('assertion');
  if (assertion === undefined) throw new errors.InvalidRequest("missing required parameter 'assertion'");
  const scope = given('scope');
  if (scope !== undefined && (scope.length > MAX_SCOPE || !SCOPE.test(scope))) {
    throw new errors.InvalidScope('scope is too long or contains invalid characters', scope.slice(0, MAX_SCOPE));
  }
  const clientId = given('client_id');
  if (clientId !== undefined && clientId.length > MAX_CLIENT_ID) throw new errors.InvalidGrant('client_id is too long');
  return { assertion, scopes: scope?.split(' '), resource: given('resource'), clientId };
}
