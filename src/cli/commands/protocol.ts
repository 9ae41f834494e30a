import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import type { Command, Input, OptionSpec, Outcome } from '../command.ts';
import { author } from './shared-options.ts';

const ON_OFF = ['on', 'off'] as const;

/** Option → the switch that it sets. */
const BOUND = {
  'dpop-bound': ['dpopBound', 'Tokens bound to a key of its own (DPoP).'],
  'certificate-bound': ['certificateBound', 'Tokens bound to its TLS certificate.'],
} as const;
const FAPI = { fapi: ['fapi', 'Refuse everything weaker than the FAPI 2.0 security profile.'] } as const;
const SWITCHES = {
  'require-par': ['requirePushedRequests', 'Authorization requests have to be pushed (PAR).'],
  'require-signed-requests': ['requireSignedRequests', 'Authorization requests have to be signed (JAR).'],
  'signed-responses': ['signedResponses', 'Answers to authorization requests are signed (JARM).'],
  'claims-parameter': ['claimsParameter', 'It may ask for single claims.'],
  ...BOUND,
  backchannel: ['backchannelAuthentication', 'It may ask a person to approve on another device (CIBA).'],
  ...FAPI,
} as const;

type Named = Readonly<Record<string, readonly [string, string]>>;

function optionsOf(named: Named): Record<string, OptionSpec> {
  return Object.fromEntries(
    Object.entries(named).map(([option, [, help]]) => [option, { type: 'text', oneOf: ON_OFF, help }]),
  );
}

function switchesIn(input: Input, named: Named): Record<string, boolean> {
  const given = Object.entries(named).flatMap(([option, [name]]) => {
    const value = input.optional(option);
    return value === undefined ? [] : [[name, value === 'on'] as const];
  });
  return Object.fromEntries(given);
}

function outcome(ids: Record<string, string>, settings: ClientSettings, secret?: string): Outcome {
  const on = Object.entries(settings).filter(([, value]) => value === true);
  return {
    json: { ...ids, ...(secret === undefined ? {} : { client_secret: secret }), settings },
    text: [
      ...Object.entries(ids).map(([name, value]) => `${name}: ${value}`),
      ...(secret === undefined ? [] : [`client_secret: ${secret}`]),
      on.length === 0 ? 'No switch is on' : `On: ${on.map(([name]) => name).join(', ')}`,
    ],
    notes: secret === undefined ? [] : ['Keep the secret now: it is not shown again.'],
  };
}

/** How a client speaks the protocol: what is left out stays as it is. */
export const protocolCommands: readonly Command[] = [
  {
    noun: 'client',
    verb: 'set',
    summary: 'Set how an application speaks the protocol. What is left out stays as it is.',
    options: {
      client: { type: 'text', required: true, value: 'CLIENT_ID', help: 'The application.' },
      ...optionsOf(SWITCHES),
      'detail-type': {
        type: 'text',
        many: true,
        value: 'T',
        help: 'A type of authorization details that it may ask for; those that are left out end. Empty text for none.',
      },
      jwks: { type: 'text', value: 'FILE', help: 'Its public keys, a JWK Set, for signed requests and assertions.' },
      auth: {
        type: 'text',
        oneOf: ['secret', 'private_key_jwt'],
        help: 'How it proves itself from now on. private_key_jwt goes with --jwks; its secrets end.',
      },
    },
    check(input) {
      const keys = input.optional('jwks') !== undefined;
      const auth = input.optional('auth');
      if (auth === 'private_key_jwt' && !keys) return '--auth private_key_jwt needs --jwks FILE';
      if (auth === 'secret' && keys) return '--auth secret and --jwks are two steps: give the keys afterwards';
      return null;
    },
    async run({ input, services, surroundings }) {
      const file = input.optional('jwks');
      const jwks = file === undefined ? undefined : await surroundings.readFile(file);
      const auth = input.optional('auth') as 'secret' | 'private_key_jwt' | undefined;
      const { clients } = await services();
      const types = input.list('detail-type');
      const change = {
        ...(auth && { auth }),
        ...(jwks !== undefined && { jwks }),
        switches: {
          ...switchesIn(input, SWITCHES),
          ...(types.length > 0 && { authorizationDetailTypes: types.filter((type) => type !== '') }),
        },
      };
      const done = await clients.set(input.text('client'), change, author(surroundings));
      return outcome({ client_id: done.clientId }, done.settings, done.clientSecret);
    },
  },
  {
    noun: 'service-account',
    verb: 'set',
    summary: 'Set what the tokens of a service account are bound to. What is left out stays as it is.',
    subject: { name: 'ID|NAME', required: true },
    options: {
      ...optionsOf({ ...BOUND, ...FAPI }),
      'introspection-alg': {
        type: 'text',
        oneOf: SIGNING_ALGORITHMS,
        help: 'What signs introspection answers that it asks for as JWTs.',
      },
    },
    async run({ input, services, surroundings }) {
      const { serviceAccounts } = await services();
      const introspectionAlg = input.optional('introspection-alg');
      const switches = { ...switchesIn(input, { ...BOUND, ...FAPI }), ...(introspectionAlg && { introspectionAlg }) };
      const done = await serviceAccounts.setProtocol(input.subject ?? '', switches, author(surroundings));
      return outcome({ id: done.id, client_id: done.clientId }, done.settings);
    },
  },
];
