import { errors, type TokenEndpointGrantContext } from 'oidc-provider';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 section 3. */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';

/** RFC 8693 section 2.1; anything else is dropped by the library (RFC 6749 section 3.2). */
export const PARAMETERS = [
  'resource',
  'audience',
  'scope',
  'requested_token_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
] as const;

/** Those of which the RFC allows several: here each request is for one API, which is another error than a slip. */
export const REPEATABLE = ['resource', 'audience'] as const;

export type Params = { [name in (typeof PARAMETERS)[number]]?: string | string[] | undefined };

export interface PresentedToken {
  value: string;
  mustBeJwt: boolean;
}

/** A request whose parts are there and fit together. */
export interface ExchangeRequest {
  subject: PresentedToken;
  actor: PresentedToken | undefined;
  /** One API's audience. */
  target: string;
  scopes: string[] | undefined;
  asJwt: boolean;
}

export type ExchangeContext = TokenEndpointGrantContext<Params>;

/** @throws invalid_request, invalid_target */
export function readExchange({ params }: ExchangeContext['oidc']): ExchangeRequest {
  const one = (name: (typeof PARAMETERS)[number]): string | undefined => {
    const value = params[name];
    return typeof value === 'string' ? value : undefined;
  };
  const subject = presented('subject', one('subject_token'), one('subject_token_type'));
  if (!subject) throw new errors.InvalidRequest('missing required parameter subject_token');
  const type = one('requested_token_type') ?? ACCESS_TOKEN;
  if (type !== ACCESS_TOKEN && type !== JWT) {
    throw new errors.InvalidRequest('requested_token_type must be that of an access token');
  }
  return {
    subject,
    actor: presented('actor', one('actor_token'), one('actor_token_type')),
    target: targetOf(params),
    scopes: one('scope')?.split(' '),
    asJwt: type === JWT,
  };
}

function presented(
  name: 'subject' | 'actor',
  value: string | undefined,
  type: string | undefined,
): PresentedToken | undefined {
  if (value === undefined && type === undefined) return undefined;
  if (value === undefined || type === undefined) {
    throw new errors.InvalidRequest(`${name}_token and ${name}_token_type go together`);
  }
  if (type !== ACCESS_TOKEN && type !== JWT) {
    throw new errors.InvalidRequest(`${name}_token_type must be that of an access token`);
  }
  return { value, mustBeJwt: type === JWT };
}

/** RFC 8693 section 2.1: an API is named by `resource` or by `audience`, which mean the same here. */
function targetOf({ resource, audience }: Params): string {
  const named = [resource ?? [], audience ?? []].flat();
  const [target] = named;
  if (named.length !== 1 || !target) {
    throw new errors.InvalidTarget('name exactly one API, with the parameter resource or audience');
  }
  return target;
}
