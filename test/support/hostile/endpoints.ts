import { codeRequest } from '../oauth.ts';
import { basic } from '../people.ts';
import type { Answer, Given } from './judge.ts';
import { AUTH, DETAILS, INVALID_REQUEST } from './service-grants.ts';
import type { Row, Target } from './target.ts';
import { serviceToken, tokensOf, type World } from './world.ts';

const authorization = (world: World): Row => ({
  name: 'authorization',
  header: true,
  absent: AUTH,
  wrong: AUTH,
  foreign: {
    "another's secret": {
      value: () => basic(world.services[0].clientId, world.services[1].secret),
      codes: ['invalid_client'],
    },
  },
});

/** RFC 7662 section 2.2: of what is no active token of the caller's nothing is said; that is no error. */
export async function introspectionTarget(world: World): Promise<Target> {
  const { services, applications } = world;
  const token = await serviceToken(world, services[0]);
  const foreign = await serviceToken(world, services[1]);
  const tokens = await tokensOf(world, applications[0]);
  const inactive = (value: string) => ({ value: () => value, codes: [] });
  return {
    name: 'introspection',
    path: '/oauth2/introspect',
    direct: true,
    good: () => ({ params: { token, token_type_hint: 'access_token' }, headers: { authorization: services[0].basic } }),
    given: activeOnly,
    rows: [
      {
        name: 'token',
        absent: INVALID_REQUEST,
        wrong: [],
        harmless: { faults: /./, why: 'RFC 7662 section 2.2: inactive' },
        foreign: {
          "another's": inactive(foreign),
          'a refresh token': inactive(tokens.refresh_token),
          'an ID token': inactive(tokens.id_token),
        },
      },
      {
        name: 'token_type_hint',
        wrong: [],
        harmless: { faults: /./, why: 'RFC 7662 section 2.1: it is a hint' },
        foreign: { 'of a refresh token': { value: () => 'refresh_token', codes: [] } },
      },
      authorization(world),
    ],
  };
}

/** Whatever is said of a token beside that it is not active is more than that. */
function activeOnly({ body }: Answer): Given {
  const { active, ...said } = body;
  return active === true
    ? { members: Object.keys(body), scope: new Set(String(said.scope).split(' ')), same: '', seconds: 0 }
    : { members: Object.keys(said), scope: new Set(), same: '', seconds: 0 };
}

/** RFC 7009 section 2.2: an unknown token is no error, and ends nothing. */
export async function revocationTarget(world: World): Promise<Target> {
  const { services } = world;
  const foreign = await serviceToken(world, services[1]);
  let held = await serviceToken(world, services[0]);
  return {
    name: 'revocation',
    path: '/oauth2/revoke',
    good: () => ({
      params: { token: held, token_type_hint: 'access_token' },
      headers: { authorization: services[0].basic },
    }),
    async renew() {
      held = await serviceToken(world, services[0]);
    },
    given: ({ body }) => ({ members: Object.keys(body), scope: new Set(), same: '', seconds: 0 }),
    rows: [
      {
        name: 'token',
        absent: INVALID_REQUEST,
        wrong: [],
        harmless: { faults: /./, why: 'RFC 7009 section 2.2: the answer is the same, whatever it was' },
        foreign: { "another's": { value: () => foreign, codes: [] } },
      },
      {
        name: 'token_type_hint',
        wrong: [],
        harmless: { faults: /./, why: 'RFC 7009 section 2.1: it is a hint' },
      },
      authorization(world),
    ],
  };
}

/** What makes no difference to what is granted: text for the pages, or back to the client as it came. */
const TEXT: Row['harmless'] = { faults: /./, why: 'OpenID Connect Core section 3.1.2.1: a text or a hint' };

/** RFC 9126 section 2.3: the codes of the authorization endpoint. `params`: what each stands for in a good request. */
const PUSHED: Record<string, { value: string; row: Omit<Row, 'name'> }> = {
  acr_values: { value: 'urn:example:any', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  claims: {
    value: '{"id_token":{"email":null}}',
    row: {
      wrong: INVALID_REQUEST,
      harmless: { faults: /^(?:a (?:space|tab)|spaces|CRLF) /, why: 'white space around JSON' },
    },
  },
  claims_locales: { value: 'en', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  code_challenge: {
    value: '',
    row: {
      absent: INVALID_REQUEST,
      wrong: INVALID_REQUEST,
      harmless: {
        faults: /^(?:other case|something behind it|two of them, in a row)$/,
        why: 'no verifier goes with a challenge that is no digest of 43 characters, or another one',
      },
    },
  },
  code_challenge_method: {
    value: 'S256',
    row: {
      absent: INVALID_REQUEST,
      wrong: INVALID_REQUEST,
      foreign: { plain: { value: () => 'plain', codes: INVALID_REQUEST } },
    },
  },
  display: { value: 'page', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  dpop_jkt: {
    value: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
    row: {
      wrong: INVALID_REQUEST,
      harmless: { faults: /./, why: 'no key has such a thumbprint: the code that follows is good for nobody' },
    },
  },
  login_hint: { value: 'person@example.com', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  max_age: {
    value: '600',
    row: {
      wrong: INVALID_REQUEST,
      harmless: {
        faults: /^(?:a number|other case|cut |a (?:space|tab|byte)|spaces|CRLF after|LF in|two of them, in a row)/,
        why: 'another number, or white space around one',
      },
    },
  },
  nonce: { value: 'nonce', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  prompt: { value: 'login', row: { wrong: INVALID_REQUEST } },
  redirect_uri: { value: '', row: { absent: INVALID_REQUEST, wrong: INVALID_REQUEST } },
  resource: {
    value: '',
    row: {
      wrong: ['invalid_target'],
      doubled: ['invalid_target'],
      harmless: { faults: /^twice the same$/, why: 'RFC 8707 section 2: it may come several times; both name one API' },
    },
  },
  response_mode: { value: 'query', row: { wrong: ['unsupported_response_mode', 'invalid_request'] } },
  response_type: {
    value: 'code',
    row: {
      absent: INVALID_REQUEST,
      wrong: ['unsupported_response_type', 'invalid_request'],
      foreign: Object.fromEntries(
        ['token', 'id_token', 'code token', 'none'].map((value) => [
          value,
          { value: () => value, codes: ['unsupported_response_type', 'invalid_request'] },
        ]),
      ),
    },
  },
  scope: {
    value: 'openid read',
    row: {
      absent: INVALID_REQUEST,
      wrong: ['invalid_scope', 'invalid_request'],
      harmless: {
        faults: /./,
        why: 'OpenID Connect Core section 3.1.2.1: scopes that nobody knows are passed over; openid stays',
      },
    },
  },
  state: { value: 'state', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
  ui_locales: { value: 'en', row: { wrong: INVALID_REQUEST, harmless: TEXT } },
};

/** Parameters that a good pushed request does not hold: what each is refused with. */
export const NEVER_PUSHED: Record<string, string[]> = {
  id_token_hint: INVALID_REQUEST,
  registration: ['registration_not_supported'],
  request: ['invalid_request_object', 'invalid_request'],
  request_uri: ['invalid_request', 'request_uri_not_supported'],
};

export function pushTarget(world: World): Target {
  const { applications, chain } = world;
  const [own, stranger] = applications;
  const [front = ''] = chain.apis;
  const { params } = codeRequest(own, { resource: front });
  const values = Object.fromEntries(Object.entries(PUSHED).map(([name, { value }]) => [name, value]));
  const { redirect_uri = '', code_challenge = '' } = params;
  const known = { ...values, redirect_uri, code_challenge, resource: front, client_id: own.clientId };
  const foreign: Record<string, Row['foreign']> = {
    redirect_uri: { "another client's": { value: () => stranger.redirectUri, codes: INVALID_REQUEST } },
    resource: { 'of others': { value: () => world.strangeApi, codes: ['invalid_target'] } },
    scope: { 'that is not assigned': { value: () => 'openid groups', codes: ['invalid_scope'] } },
  };
  return {
    name: 'pushed authorization request',
    path: '/oauth2/par',
    isGood: ({ status }) => status === 201,
    good: () => ({ params: known, headers: { authorization: basic(own.clientId, own.secret) } }),
    given: ({ body }) => ({ members: Object.keys(body), scope: new Set(), same: '', seconds: Number(body.expires_in) }),
    rows: [
      ...Object.entries(PUSHED).map(([name, { row }]) => ({
        name,
        ...row,
        ...(foreign[name] ? { foreign: foreign[name] } : {}),
      })),
      DETAILS,
      {
        name: 'client_id',
        absent: INVALID_REQUEST,
        wrong: AUTH,
        foreign: { "another's": { value: () => stranger.clientId, codes: AUTH } },
      },
      {
        ...authorization(world),
        foreign: {
          "another's secret": { value: () => basic(own.clientId, stranger.secret), codes: ['invalid_client'] },
          'another client': { value: () => basic(stranger.clientId, stranger.secret), codes: AUTH },
        },
      },
    ],
  };
}
