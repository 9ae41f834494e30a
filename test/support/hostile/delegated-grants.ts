import { ACCESS_TOKEN, TOKEN_EXCHANGE } from '../exchange.ts';
import { JWT_BEARER } from '../workload-issuer.ts';
import { AUTH, grantType, INVALID_REQUEST, resource, scope, TARGET } from './service-grants.ts';
import type { Request, Row, Target } from './target.ts';
import { serviceToken, tokensOf, type World } from './world.ts';

const PATH = '/oauth2/token';

/** RFC 8693 */
export async function exchangeTarget(world: World): Promise<Target> {
  const { chain, services, applications } = world;
  const [front = '', back = ''] = chain.apis;
  const [caller = services[0]] = chain.services;
  const subject_token = await chain.personToken();
  const own = await serviceToken(world, caller, back);
  const tokens = await tokensOf(world, applications[0]);
  const codes = INVALID_REQUEST;
  const params = {
    grant_type: TOKEN_EXCHANGE,
    subject_token,
    subject_token_type: ACCESS_TOKEN,
    actor_token: own,
    actor_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
    resource: back,
    scope: 'read',
  };
  const foreign = {
    'an ID token': { value: () => tokens.id_token, codes },
    'a refresh token': { value: () => tokens.refresh_token, codes },
    'for no API': { value: () => tokens.access_token, codes },
    "a stranger's": { value: () => serviceToken(world, services[1]), codes },
  };
  const type: Partial<Row> = {
    wrong: codes,
    foreign: {
      'of an ID token': { value: () => 'urn:ietf:params:oauth:token-type:id_token', codes },
      'of a refresh token': { value: () => 'urn:ietf:params:oauth:token-type:refresh_token', codes },
      'of SAML': { value: () => 'urn:ietf:params:oauth:token-type:saml2', codes },
    },
  };
  const target: Row = {
    ...resource(world),
    absent: TARGET,
    foreign: { 'its own': { value: () => front, codes: TARGET } },
  };
  return {
    name: 'token exchange',
    path: PATH,
    good: () => ({ params, headers: { authorization: caller.basic } }),
    rows: [
      grantType(['refresh_token', 'authorization_code']),
      { name: 'subject_token', absent: codes, wrong: codes, foreign },
      { ...type, name: 'subject_token_type', absent: codes, wrong: codes },
      { name: 'actor_token', absent: codes, wrong: codes, foreign },
      { ...type, name: 'actor_token_type', absent: codes, wrong: codes },
      { ...type, name: 'requested_token_type', wrong: codes },
      target,
      scope(world),
    ],
  };
}

/** The same, with the API in the parameter `audience`. */
export async function exchangeByAudience(world: World): Promise<Target> {
  const target = await exchangeTarget(world);
  const request = (await target.good()) as Request;
  const { resource: audience = '', actor_token: _a, actor_token_type: _t, ...params } = request.params;
  const [row] = target.rows.filter(({ name }) => name === 'resource');
  return {
    ...target,
    name: 'token exchange, by audience',
    good: () => ({ ...request, params: { ...params, audience } }),
    rows: row ? [{ ...row, name: 'audience' }] : [],
  };
}

/** Beside an assertion for a service account there is no client authentication, which any other grant asks for first. */
function inNobodysName(row: Row): Row {
  const { foreign = {}, ...rest } = row;
  const others = Object.entries(foreign).map(([what, { value }]) => [what, { value, codes: AUTH }]);
  return { ...rest, absent: AUTH, wrong: AUTH, doubled: AUTH, foreign: Object.fromEntries(others) };
}

/** RFC 7523 section 2.1 */
export function bearerTarget(world: World): Target {
  const { services, api, issuers, workload } = world;
  const [own, stranger] = services;
  const codes = ['invalid_grant'];
  return {
    name: 'JWT bearer',
    path: PATH,
    async good() {
      const params = { grant_type: JWT_BEARER, assertion: await workload() };
      return { params: { ...params, scope: 'read', resource: api, client_id: own.clientId }, headers: {} };
    },
    rows: [
      inNobodysName(grantType()),
      {
        name: 'assertion',
        absent: INVALID_REQUEST,
        wrong: codes,
        foreign: {
          expired: { value: () => workload({ iat: 1_600_000_000, exp: 1_600_000_300 }), codes },
          'of another subject': { value: () => workload({ sub: 'stranger' }), codes },
          'for another audience': { value: () => workload({ aud: 'https://attacker.example' }), codes },
          'of an unknown issuer': { value: () => workload({}, issuers[1]), codes },
          'of an issuer in the name of another': { value: () => workload({ iss: issuers[0].url }, issuers[1]), codes },
        },
      },
      scope(world),
      resource(world),
      {
        name: 'client_id',
        wrong: codes,
        foreign: { "another's": { value: () => stranger.clientId, codes } },
      },
    ],
  };
}
