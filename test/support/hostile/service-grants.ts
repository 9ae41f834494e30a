import { assertion, assertionForm } from '../assertions.ts';
import { createHolder, freshNonce, type Holder, proof } from '../dpop.ts';
import { BY_TEST, basic, createService } from '../people.ts';
import { everythingTold } from '../told.ts';
import type { Row, Target } from './target.ts';
import { badAssertions, type World } from './world.ts';

const PATH = '/oauth2/token';
export const AUTH = ['invalid_client', 'invalid_request'];
export const INVALID_REQUEST = ['invalid_request'];
const SCOPE = ['invalid_scope'];
export const TARGET = ['invalid_target'];

/** RFC 6749 section 5.2; what holds the name of the grant decides whose the other parameters are. */
export function grantType(others: readonly string[] = []): Row {
  return {
    name: 'grant_type',
    absent: INVALID_REQUEST,
    wrong: ['unsupported_grant_type'],
    foreign: Object.fromEntries(
      ['password', 'implicit', 'none', ...others].map((value) => [
        value,
        { value: () => value, codes: ['unsupported_grant_type', 'invalid_request', 'unauthorized_client'] },
      ]),
    ),
  };
}

/** RFC 9396 section 5: none of these types is this client's. */
export const DETAILS: Row = {
  name: 'authorization_details',
  sample: '[{"type":"payment","amount":1}]',
  wrong: ['invalid_authorization_details'],
};

export function scope({ strangeApi }: World, more: Partial<Row> = {}): Row {
  return {
    name: 'scope',
    wrong: SCOPE,
    foreign: {
      'of another API': { value: () => 'strange', codes: SCOPE },
      'that is not assigned': { value: () => 'delete', codes: SCOPE },
      'with an API in it': { value: () => `${strangeApi}#strange`, codes: SCOPE },
    },
    ...more,
  };
}

export function resource({ strangeApi }: World, more: Partial<Row> = {}): Row {
  return {
    name: 'resource',
    wrong: TARGET,
    doubled: TARGET,
    foreign: {
      'of others': { value: () => strangeApi, codes: TARGET },
      unknown: { value: () => 'https://nobody.example.com', codes: TARGET },
      'our own': { value: () => 'urn:ietf:params:oauth:resource', codes: TARGET },
    },
    ...more,
  };
}

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
    'an unknown client': { value: () => basic('nobody', world.services[0].secret), codes: ['invalid_client'] },
    'a bearer token': { value: () => 'Bearer abc', codes: AUTH },
  },
});

/** The client credentials grant (RFC 6749 section 4.4), once for each way in which a service can prove itself. */
export function clientCredentialsTargets(world: World): Target[] {
  const { api, services, signers, certificates } = world;
  const [own, stranger] = services;
  const params = { grant_type: 'client_credentials', scope: 'read', resource: api };
  const common = { path: PATH };
  const byCertificate = (name: string, client_id: string, certificate: string): Target => ({
    ...common,
    name,
    good: () => ({ params: { ...params, client_id }, headers: { 'client-cert': certificate } }),
    rows: [
      {
        name: 'client_id',
        absent: AUTH,
        wrong: AUTH,
        foreign: {
          'of a service with a secret': { value: () => own.clientId, codes: AUTH },
          'of another certificate': {
            value: () => (client_id === world.selfSigned ? world.byCertificate : world.selfSigned),
            codes: AUTH,
          },
        },
      },
      {
        name: 'client-cert',
        header: true,
        absent: AUTH,
        wrong: AUTH,
        foreign: Object.fromEntries(
          (['foreign', 'expired'] as const).map((one) => [
            one,
            { value: () => certificates[one], codes: ['invalid_client'] },
          ]),
        ),
      },
    ],
  });
  return [
    {
      ...common,
      name: 'client_credentials',
      direct: true,
      good: () => ({ params, headers: { authorization: own.basic } }),
      rows: [
        grantType(['refresh_token', 'authorization_code']),
        scope(world),
        resource(world, {
          harmless: {
            faults: /^twice the same$/,
            why: 'RFC 8707 section 2: it may come several times; both name one API',
          },
        }),
        DETAILS,
        authorization(world),
      ],
    },
    {
      ...common,
      name: 'client_credentials, secret in the form',
      direct: true,
      good: () => ({ params: { ...params, client_id: own.clientId, client_secret: own.secret }, headers: {} }),
      rows: [
        {
          name: 'client_id',
          absent: AUTH,
          wrong: AUTH,
          foreign: { "another's": { value: () => stranger.clientId, codes: ['invalid_client'] } },
        },
        {
          name: 'client_secret',
          absent: AUTH,
          wrong: AUTH,
          foreign: { "another's": { value: () => stranger.secret, codes: ['invalid_client'] } },
        },
      ],
    },
    {
      ...common,
      name: 'client_credentials, private_key_jwt',
      good: async () => ({ params: { ...params, ...assertionForm(await assertion(signers[0])) }, headers: {} }),
      rows: [
        {
          name: 'client_assertion',
          absent: AUTH,
          wrong: AUTH,
          foreign: Object.fromEntries(
            Object.entries(badAssertions(world)).map(([what, value]) => [what, { value, codes: [...AUTH, ...TARGET] }]),
          ),
        },
        { name: 'client_assertion_type', absent: AUTH, wrong: AUTH },
      ],
    },
    byCertificate('client_credentials, tls_client_auth', world.byCertificate, certificates.authority),
    byCertificate('client_credentials, self_signed_tls_client_auth', world.selfSigned, certificates.registered),
  ];
}

/** A proof of possession beside any grant (RFC 9449): a fault in it never gives a token that is bound to nothing. */
export async function provenTarget({ postern, api }: World): Promise<Target> {
  const own = await createService(postern, [`${api}#read`]);
  await postern.parts.serviceAccounts.setProtocol(own.id, { dpopBound: true }, BY_TEST);
  await everythingTold(postern);
  const holder: Holder = await createHolder();
  const params = { grant_type: 'client_credentials', scope: 'read', resource: api };
  const url = `${postern.url}${PATH}`;
  const nonce = await freshNonce(postern.url, params, { authorization: own.basic });
  const by = (of: Holder, changes: Parameters<typeof proof>[1]) => proof(of, changes);
  const used = await proof(holder, { url, nonce });
  return {
    name: 'client_credentials, DPoP',
    path: PATH,
    async good() {
      return { params, headers: { authorization: own.basic, dpop: await by(holder, { url, nonce }) } };
    },
    rows: [
      {
        name: 'dpop',
        header: true,
        absent: ['invalid_grant'],
        wrong: ['invalid_dpop_proof'],
        foreign: {
          'for another address': {
            value: () => by(holder, { url: `${postern.url}/oauth2/par`, nonce }),
            codes: ['invalid_dpop_proof'],
          },
          'of yesterday': {
            value: () => by(holder, { url, nonce, claims: { iat: 1_600_000_000 } }),
            codes: ['invalid_dpop_proof'],
          },
          'two of them': { value: () => `${used}, ${used}`, codes: ['invalid_dpop_proof'] },
        },
      },
    ],
  };
}
