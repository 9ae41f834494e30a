import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { assertion, assertionForm, claimsOf, createSigner, type Signer } from '../support/assertions.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createHolder, freshNonce, postWithProof, proof, userinfoWithProof } from '../support/dpop.ts';
import { type Chain, createChain, exchange } from '../support/exchange.ts';
import {
  asClient,
  authorizePath,
  clientCredentials,
  codeOf,
  codeRequest,
  getCode,
  introspect,
  postForm,
  redeem,
  refresh,
} from '../support/oauth.ts';
import { type Application, BY_TEST, basic, createApplication } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { JWT_BEARER } from '../support/workload-issuer.ts';

/**
 * Every kind of token, sent to every place that reads one. Each place knows its own kinds; any other is refused there
 * as an unknown one would be, gives nothing, changes nothing and is never a fault.
 */

const KINDS = [
  'an ID token',
  "a person's JWT for an API",
  "a service's JWT for an API",
  'an opaque access token',
  'a bound opaque access token',
  'a refresh token',
  'a code',
  'a signed authorization response',
  'a signed introspection answer',
  'a DPoP proof',
  'a client assertion',
  'a request object',
] as const;
type Kind = (typeof KINDS)[number];

interface Reply {
  status: number;
  body: Record<string, unknown>;
}

interface Place {
  /** What belongs here. */
  own: Kind[];
  send(token: string): Promise<Reply>;
  /** How a stranger is turned away; without an error it is inactive. */
  refusal: { status: number[]; error?: string[] };
}

const PLACES = [
  'userinfo, as Bearer',
  'userinfo, as DPoP',
  'introspection',
  'introspection, as an access token',
  'introspection, as a refresh token',
  'introspection by a service',
  'the refresh token of a client',
  'the code of a client',
  'the assertion of a client',
  'the secret of a client',
  'the assertion of a workload',
  'the subject of an exchange',
  'the actor of an exchange',
  'the DPoP proof of a client',
  'a pushed request object',
  'a request object',
  'the address of a request',
  'the hint of an authorization request',
  'the hint of signing out',
] as const;

let postern: Postern;
let chain: Chain;
let application: Application;
let signer: Signer;
let agent: Agent;
const tokens = {} as Record<Kind, string>;
let places: Record<(typeof PLACES)[number], Place>;
const holder = createHolder();

beforeAll(async () => {
  postern = await startPostern();
  chain = await createChain(postern, 2);
  application = chain.application;
  const [front = '', back = ''] = chain.apis;
  signer = await createSigner(postern, `${front}#read`);
  agent = createAgent(postern.url);
  const got = await redeem(postern.url, application, await getCode(agent, application, chain.person));
  const { access_token: opaque = '', id_token: id = '', refresh_token: refreshToken = '' } = got.body;
  const signing = await createApplication(postern);
  await postern.parts.applications.setProtocol(signing.clientId, { signedResponses: true }, BY_TEST);
  const answered = await agent.get(authorizePath(codeRequest(signing, { response_mode: 'jwt' }).params));
  const told = await fetch(`${postern.url}/oauth2/introspect`, {
    method: 'POST',
    headers: { ...asClient(application).headers, accept: 'application/token-introspection+jwt' },
    body: new URLSearchParams({ token: opaque }),
  });
  const url = `${postern.url}/oauth2/token`;
  const again = await getCode(agent, application, chain.person);
  const form = { grant_type: 'authorization_code', code: again.code, code_verifier: again.verifier };
  const { redirectUri: redirect_uri } = application;
  const { headers } = asClient(application);
  const bound = await postWithProof(url, { ...form, redirect_uri }, headers, await holder);
  const ofService = await clientCredentials(postern.url, chain.services[0] ?? { clientId: '', secret: '' }, {
    resource: back,
  });
  Object.assign(tokens, {
    'an ID token': id,
    "a person's JWT for an API": await chain.personToken(),
    "a service's JWT for an API": String(ofService.body.access_token),
    'an opaque access token': opaque,
    'a bound opaque access token': String(bound.body.access_token),
    'a refresh token': refreshToken,
    'a code': (await getCode(agent, application, chain.person)).code,
    'a signed authorization response': answered.leaves?.searchParams.get('response') ?? '',
    'a signed introspection answer': await told.text(),
    'a DPoP proof': await proof(await holder, {
      url,
      nonce: await freshNonce(postern.url, { ...form, redirect_uri }, headers),
    }),
    'a client assertion': await assertion(signer),
    'a request object': await new SignJWT({
      ...claimsOf(signer, { sub: undefined }),
      client_id: signer.clientId,
      response_type: 'code',
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'oauth-authz-req+jwt' })
      .sign(signer.privateKey),
  } satisfies Record<Kind, string>);
  places = placesOf();
});
afterAll(() => postern.close());

function placesOf(): Record<(typeof PLACES)[number], Place> {
  const at = (path: string) => `${postern.url}/oauth2/${path}`;
  const mine = asClient(application).headers;
  const [service = application] = chain.services;
  const opaque: Kind[] = ['an opaque access token', 'a bound opaque access token'];
  const introspected = [...opaque, "a person's JWT for an API", 'a refresh token'] as Kind[];
  const inactive = { status: [200] };
  const grant = (form: Record<string, string>, headers = mine) => postForm(at('token'), form, headers);
  const asked = () => codeRequest(application, { prompt: 'none' }).params;
  const page = async (target: string): Promise<Reply> => {
    const { leaves, status } = await agent.get(target);
    return { status, body: leaves ? Object.fromEntries(leaves.searchParams) : { error: SHOWN } };
  };
  const bearer = async (path: string, authorization: string): Promise<Reply> => {
    const response = await fetch(`${postern.url}${path}`, { headers: { authorization } });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : {} };
  };
  return {
    'userinfo, as Bearer': {
      own: ['an opaque access token'],
      send: (token) => bearer('/oauth2/userinfo', `Bearer ${token}`),
      refusal: { status: [401], error: ['invalid_token'] },
    },
    'userinfo, as DPoP': {
      own: ['a bound opaque access token'],
      send: async (token) => userinfoWithProof(postern.url, token, await holder),
      refusal: { status: [401], error: ['invalid_token'] },
    },
    introspection: {
      own: introspected,
      send: (token) => postForm(at('introspect'), { token }, mine),
      refusal: inactive,
    },
    'introspection, as an access token': {
      own: introspected,
      send: (token) => postForm(at('introspect'), { token, token_type_hint: 'access_token' }, mine),
      refusal: inactive,
    },
    'introspection, as a refresh token': {
      own: introspected,
      send: (token) => postForm(at('introspect'), { token, token_type_hint: 'refresh_token' }, mine),
      refusal: inactive,
    },
    'introspection by a service': {
      own: ["a person's JWT for an API", "a service's JWT for an API"],
      send: (token) => postForm(at('introspect'), { token }, asClient(service).headers),
      refusal: inactive,
    },
    'the refresh token of a client': {
      own: ['a refresh token'],
      send: (token) => refresh(postern.url, application, token),
      refusal: { status: [400], error: ['invalid_grant'] },
    },
    'the code of a client': {
      own: ['a code'],
      send: (code) => redeem(postern.url, application, { code, verifier: 'v'.repeat(43) }),
      refusal: { status: [400], error: ['invalid_grant'] },
    },
    'the assertion of a client': {
      own: ['a client assertion'],
      send: (token) =>
        grant({ grant_type: 'client_credentials', client_id: signer.clientId, ...assertionForm(token) }, {}),
      // The name beside it is another one's, where the token holds a name at all.
      refusal: { status: [400, 401], error: ['invalid_client', 'invalid_request'] },
    },
    'the secret of a client': {
      own: [],
      send: (token) => grant({ grant_type: 'client_credentials' }, { authorization: basic(service.clientId, token) }),
      refusal: { status: [401], error: ['invalid_client'] },
    },
    'the assertion of a workload': {
      own: [],
      send: (token) => grant({ grant_type: JWT_BEARER, assertion: token }, {}),
      refusal: { status: [400], error: ['invalid_grant'] },
    },
    'the subject of an exchange': {
      own: ["a person's JWT for an API"],
      send: (token) => exchange(postern.url, service, token, chain.apis[1] ?? ''),
      refusal: { status: [400], error: ['invalid_request'] },
    },
    'the actor of an exchange': {
      own: ["a service's JWT for an API"],
      send: (token) =>
        exchange(postern.url, service, tokens["a person's JWT for an API"], chain.apis[1] ?? '', {
          actor_token: token,
          actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        }),
      refusal: { status: [400], error: ['invalid_request'] },
    },
    'the DPoP proof of a client': {
      own: ['a DPoP proof'],
      send: (dpop) => grant({ grant_type: 'refresh_token', refresh_token: 'x' }, { ...mine, dpop } as typeof mine),
      refusal: { status: [400], error: ['invalid_dpop_proof'] },
    },
    'a pushed request object': {
      own: [],
      send: (request) => postForm(at('par'), { client_id: application.clientId, request }, mine),
      refusal: { status: [400], error: ['invalid_request_object', 'invalid_request'] },
    },
    'a request object': {
      own: [],
      send: (request) => page(authorizePath({ ...asked(), request })),
      refusal: { status: [303, 400], error: ['invalid_request_object', 'invalid_request', SHOWN] },
    },
    'the address of a request': {
      own: [],
      send: (token) => page(authorizePath({ ...asked(), request_uri: `urn:ietf:params:oauth:request_uri:${token}` })),
      refusal: { status: [303, 400], error: ['invalid_request_uri', 'invalid_request', SHOWN] },
    },
    'the hint of an authorization request': {
      own: ['an ID token'],
      send: (id_token_hint) => page(authorizePath({ ...asked(), id_token_hint })),
      refusal: { status: [303, 400], error: ['invalid_request', SHOWN] },
    },
    'the hint of signing out': {
      own: ['an ID token'],
      send: (id_token_hint) => page(`/oauth2/logout?${new URLSearchParams({ id_token_hint })}`),
      refusal: { status: [400], error: [SHOWN] },
    },
  };
}

/** To a person, who has nothing to do with the application's mistake but stands in front of it. */
const SHOWN = 'shown as a page';

/** What would let its holder do anything. */
const GIVES = /^(?:access_token|refresh_token|id_token|code|response|request_uri|sub|email|client_id|scope)$/;

describe.each(PLACES)('S39 S40 %s', (name) => {
  test.each(KINDS)('%s', async (kind) => {
    const token = tokens[kind];
    expect(token).toMatch(/^[\w.-]{40,}$/);
    const { own, send, refusal } = places[name];
    // What belongs there is shown by other tests; a code or an assertion would be used up here.
    if (own.includes(kind)) return;
    const { status, body } = await send(token);
    expect(refusal.status).toContain(status);
    if (refusal.error) expect(refusal.error).toContain(body.error);
    else expect(body).toEqual({ active: false });
    expect(Object.keys(body).filter((member) => GIVES.test(member))).toEqual([]);
  });
});

test('every JWT of ours but the ID token and the authorization response says its type', () => {
  const typeOf = (kind: Kind) => decodeProtectedHeader(tokens[kind]).typ;
  expect(typeOf("a person's JWT for an API")).toBe('at+jwt');
  expect(typeOf("a service's JWT for an API")).toBe('at+jwt');
  expect(typeOf('a signed introspection answer')).toBe('token-introspection+jwt');
});

// Last: it ends what it meets.
describe('S39 S51 after all that', () => {
  test('nothing was used up or ended', async () => {
    for (const kind of ['an opaque access token', 'a bound opaque access token', 'a refresh token'] as const) {
      expect(await introspect(postern.url, application, tokens[kind])).toMatchObject({ active: true });
    }
    const { status } = await places['userinfo, as Bearer'].send(tokens['an opaque access token']);
    expect(status).toBe(200);
    expect((await userinfoWithProof(postern.url, tokens['a bound opaque access token'], await holder)).status).toBe(
      200,
    );
    expect((await places['the assertion of a client'].send(tokens['a client assertion'])).status).toBe(200);
    expect(codeOf(await agent.get(authorizePath(codeRequest(application, { prompt: 'none' }).params)))).not.toBe('');
  });

  test.each(KINDS)('revoking %s answers 200, and a foreign kind ends nothing', async (kind) => {
    const alive = 'a bound opaque access token';
    const { headers } = asClient(application);
    const { status, body } = await postForm(`${postern.url}/oauth2/revoke`, { token: tokens[kind] }, headers);
    expect({ status, body }).toEqual({ status: 200, body: {} });
    if (kind !== alive && KINDS.indexOf(kind) < KINDS.indexOf(alive)) {
      expect(await introspect(postern.url, application, tokens[alive])).toMatchObject({ active: true });
    } else if (kind === alive) {
      expect(await introspect(postern.url, application, tokens[alive])).toEqual({ active: false });
    }
  });

  test("what the revocations met of the client's own is inactive, and a stranger's token is not", async () => {
    for (const kind of ["a person's JWT for an API", 'an opaque access token', 'a refresh token'] as const) {
      expect(await introspect(postern.url, application, tokens[kind])).toEqual({ active: false });
    }
    const [service = application] = chain.services;
    const told = await introspect(postern.url, service, tokens["a service's JWT for an API"]);
    expect(told).toMatchObject({ active: true });
  });
});
