import { isDeepStrictEqual } from 'node:util';
import {
  type Client,
  errors,
  type KoaContextWithOIDC,
  type RichAuthorizationRequestsActiveConfiguration,
  type RichAuthorizationRequestType,
} from 'oidc-provider';
import { factsOf, permissionsOn } from '../client-facts.ts';
import { type Detail, type DetailType, type DetailTypeMap, parseDetails, problemWith } from './detail-types.ts';

/** Details of one request. */
const MOST_DETAILS = 10;

type Feature = RichAuthorizationRequestsActiveConfiguration & {
  authorizationDetailsForIntrospection: NonNullable<
    RichAuthorizationRequestsActiveConfiguration['authorizationDetailsForIntrospection']
  >;
};
type DefaultResource = (
  ctx: KoaContextWithOIDC,
  client: Client,
  oneOf?: readonly string[],
) => Promise<string | readonly string[]>;

const refused = (problem: string) => new errors.InvalidAuthorizationDetails(problem);

function mayAskFor(client: Client, type: string): boolean {
  return factsOf(client).settings.authorizationDetailTypes?.includes(type) ?? false;
}

/** Where a person will be asked: a detail stands beside a permission of its API, which roles decide about. */
function placeProblem(ctx: KoaContextWithOIDC, { audience }: DetailType, client: Client): string | undefined {
  const { params, route } = ctx.oidc;
  const resources = params?.resource === undefined ? undefined : [params.resource].flat();
  if (resources && !resources.includes(audience)) return 'resource is not the API that the type belongs to';
  if (route === 'token') return undefined;
  const asked = ctx.oidc.requestParamScopes;
  if (permissionsOn(client, audience).some((name) => asked.has(name))) return undefined;
  return 'scope holds no permission on the API that the type belongs to';
}

function validator(type: DetailType): RichAuthorizationRequestType {
  return {
    async validate(ctx, detail, client) {
      if (!mayAskFor(client, type.type)) throw refused('a type is not allowed to this client');
      if (parseDetails(ctx.oidc.params?.authorization_details).length > MOST_DETAILS) {
        throw refused(`there are more than ${MOST_DETAILS} details`);
      }
      const problem = problemWith(type, detail as Detail) ?? placeProblem(ctx, type, client);
      if (problem !== undefined) throw refused(`${type.type}: ${problem}`);
    },
  };
}

/** Of what a token request asks for, nothing may go beyond what was granted (RFC 9396 section 6). */
function assertWithin(asked: readonly Detail[], granted: readonly Detail[]): void {
  if (asked.every((detail) => granted.some((one) => isDeepStrictEqual(one, detail)))) return;
  throw refused('a detail goes beyond what the person allowed');
}

const askedAtToken = (ctx: KoaContextWithOIDC): Detail[] | undefined =>
  ctx.oidc.params?.authorization_details === undefined
    ? undefined
    : parseDetails(ctx.oidc.params.authorization_details);

/** Asked before a refresh token is spent. @throws InvalidAuthorizationDetails */
export function assertRefreshedDetails(ctx: KoaContextWithOIDC): void {
  const asked = askedAtToken(ctx);
  if (asked) assertWithin(asked, (ctx.oidc.entities.RefreshToken?.rar ?? []) as Detail[]);
}

/**
 * Rich authorization requests (RFC 9396). The library asks the person each time that details are requested; what they
 * allowed goes into the code as it was requested, and from there into access tokens for the API of its type.
 */
export function richRequests(types: DetailTypeMap): Feature {
  return {
    enabled: true,
    types: Object.fromEntries([...types].map(([name, type]) => [name, validator(type)])),

    authorizationDetailsForGrantSource: (ctx) => {
      const details = parseDetails(ctx.oidc.params?.authorization_details);
      return details.length > 0 ? details : undefined;
    },

    // The rules of today: a type that is gone, changed, or taken from the client is in no new token.
    authorizationDetailsForAccessToken(ctx, token, source) {
      const { client } = ctx.oidc;
      if (!client || !source) throw refused('no person stands behind this grant who could allow details');
      const granted = ('rar' in source ? (source.rar ?? []) : []) as Detail[];
      const asked = askedAtToken(ctx);
      if (asked) assertWithin(asked, granted);
      const audience = token.resourceServer?.identifier();
      const left = (asked ?? granted).filter((detail) => {
        const type = types.get(detail.type);
        if (type?.audience !== audience || !mayAskFor(client, detail.type)) return false;
        return type !== undefined && problemWith(type, detail) === undefined;
      });
      if (asked && left.length === 0) throw refused('nothing of these details is left for this resource');
      return left.length > 0 ? left : undefined;
    },

    authorizationDetailsForIntrospection: (_ctx, token) => token.rar,
  };
}

/** A request with details that names no resource means the API that its details belong to, where that is one. */
export function withApiOfDetails(types: DetailTypeMap, otherwise: DefaultResource): DefaultResource {
  return async (ctx, client, oneOf) => {
    const details = oneOf === undefined ? parseDetails(ctx.oidc.params?.authorization_details) : [];
    const audiences = new Set(details.flatMap(({ type }) => types.get(type)?.audience ?? []));
    const [only] = audiences;
    if (only !== undefined && audiences.size === 1) return only;
    return otherwise(ctx, client, oneOf);
  };
}
