import { asClient, getCode, postForm } from '../oauth.ts';
import { type Application, BY_TEST, basic } from '../people.ts';
import { everythingTold } from '../told.ts';
import { AUTH, DETAILS, grantType, INVALID_REQUEST } from './service-grants.ts';
import type { Row, Target } from './target.ts';
import { tokensOf, type World } from './world.ts';

const PATH = '/oauth2/token';
const CIBA = 'urn:openid:params:grant-type:ciba';
const GRANT = ['invalid_grant'];
const SERVICES_ONLY = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'];

/** RFC 6749 section 4.1.3, RFC 7636 section 4.6 */
export async function codeTarget(world: World, kind: 'confidential' | 'public'): Promise<Target> {
  const { agent, chain, applications, spa } = world;
  const [own, stranger] = kind === 'public' ? [spa, applications[1]] : applications;
  const [front = ''] = chain.apis;
  const asked = { scope: 'openid read', resource: front };
  const code = (of: Application) => getCode(agent, of, chain.person, asked);
  let held = await code(own);
  const used = await tokensOf(world, own, asked);
  const strangers = await code(stranger);
  const codeRow = {
    name: 'code',
    absent: INVALID_REQUEST,
    wrong: GRANT,
    foreign: {
      "another client's": { value: () => strangers.code, codes: GRANT },
      'a refresh token': { value: () => used.refresh_token, codes: GRANT },
      'an access token': { value: () => used.access_token, codes: GRANT },
    },
  };
  const verifier = {
    name: 'code_verifier',
    absent: GRANT,
    // RFC 7636 section 4.1: what is no verifier at all is a malformed request.
    wrong: [...GRANT, ...INVALID_REQUEST],
    foreign: {
      "another code's": { value: () => strangers.verifier, codes: GRANT },
      'the challenge': { value: () => held.params.code_challenge ?? '', codes: GRANT },
    },
  };
  const clientId = {
    name: 'client_id',
    absent: AUTH,
    wrong: AUTH,
    foreign: {
      'of a confidential client': { value: () => stranger.clientId, codes: AUTH },
      'of a service': { value: () => world.services[0].clientId, codes: AUTH },
    },
  };
  return {
    name: `authorization_code, ${kind}`,
    path: PATH,
    good: () => ({
      params: {
        grant_type: 'authorization_code',
        code: held.code,
        redirect_uri: own.redirectUri,
        code_verifier: held.verifier,
        resource: front,
        ...(own.secret === '' ? { client_id: own.clientId } : {}),
      },
      headers: own.secret === '' ? {} : { authorization: basic(own.clientId, own.secret) },
    }),
    async renew() {
      held = await code(own);
    },
    rows:
      kind === 'public'
        ? [clientId, codeRow, verifier]
        : [
            grantType(SERVICES_ONLY),
            DETAILS,
            codeRow,
            verifier,
            {
              name: 'redirect_uri',
              absent: INVALID_REQUEST,
              wrong: GRANT,
              foreign: { "another client's": { value: () => stranger.redirectUri, codes: GRANT } },
            },
            {
              name: 'resource',
              spends: true,
              wrong: ['invalid_target'],
              doubled: ['invalid_target'],
              foreign: {
                'of others': { value: () => world.strangeApi, codes: ['invalid_target'] },
                'of another code': { value: () => chain.apis[1] ?? '', codes: ['invalid_target'] },
              },
            },
          ],
  };
}

/** RFC 6749 section 6 */
export async function refreshTarget(world: World): Promise<Target> {
  const { chain, applications, strangeApi } = world;
  const [, , own, stranger] = applications;
  const [front = '', back = ''] = chain.apis;
  const asked = { scope: 'openid read', resource: front };
  const first = await tokensOf(world, own, asked);
  const strangers = await tokensOf(world, stranger, asked);
  let held = first.refresh_token;
  return {
    name: 'refresh_token',
    path: PATH,
    good: () => ({
      params: { grant_type: 'refresh_token', refresh_token: held, scope: 'openid read', resource: front },
      headers: { authorization: basic(own.clientId, own.secret) },
    }),
    renew({ body }) {
      held = String(body.refresh_token);
    },
    rows: [
      grantType(SERVICES_ONLY),
      DETAILS,
      {
        name: 'refresh_token',
        absent: INVALID_REQUEST,
        wrong: GRANT,
        foreign: {
          "another client's": { value: () => strangers.refresh_token, codes: GRANT },
          'an access token': { value: () => first.access_token, codes: GRANT },
          'an ID token': { value: () => first.id_token, codes: GRANT },
        },
      },
      {
        name: 'scope',
        wrong: ['invalid_scope'],
        foreign: {
          'more than it had': { value: () => 'openid read email', codes: ['invalid_scope'] },
          'of another API': { value: () => 'strange', codes: ['invalid_scope'] },
        },
      },
      {
        name: 'resource',
        wrong: ['invalid_target'],
        doubled: ['invalid_target'],
        foreign: {
          'of others': { value: () => strangeApi, codes: ['invalid_target'] },
          'that was not granted': { value: () => back, codes: ['invalid_target'] },
        },
      },
    ],
  };
}

/** CIBA Core section 10.1: a request that nobody decided yet. A good poll says so, or that it comes too early. */
export async function backchannelTarget(world: World): Promise<Target> {
  const { postern, chain, applications } = world;
  const [own, , stranger] = applications;
  const ask = async (client: Application) => {
    await postern.parts.applications.setProtocol(client.clientId, { backchannelAuthentication: true }, BY_TEST);
    await everythingTold(postern);
    const { body } = await postForm(
      `${postern.url}/oauth2/backchannel_authentication`,
      { scope: 'openid', login_hint: chain.person.email },
      asClient(client).headers,
    );
    return String(body.auth_req_id);
  };
  const [held, strangers] = [await ask(own), await ask(stranger)];
  const { access_token: token } = await tokensOf(world, own);
  const open: Row['harmless'] = { faults: /./, why: 'nothing is given before the person decided' };
  return {
    name: 'CIBA',
    path: PATH,
    isGood: ({ body: { error } }) => error === 'authorization_pending' || error === 'slow_down',
    good: () => ({
      params: { grant_type: CIBA, auth_req_id: held, resource: chain.apis[0] ?? '' },
      headers: { authorization: basic(own.clientId, own.secret) },
    }),
    given: () => ({ members: [], scope: new Set(), same: '', seconds: 0 }),
    rows: [
      grantType(SERVICES_ONLY),
      {
        name: 'auth_req_id',
        absent: INVALID_REQUEST,
        wrong: GRANT,
        foreign: {
          "another client's": { value: () => strangers, codes: GRANT },
          'an access token': { value: () => token, codes: GRANT },
        },
      },
      { name: 'resource', wrong: [], doubled: [], harmless: open },
      DETAILS,
    ],
  };
}
