import type { InitialTokenInput } from '../../features/registration/initial-tokens.ts';
import { AUTH_METHODS } from '../../features/registration/policy.ts';
import { APPLICATION_TYPES } from '../../kernel/application.ts';
import type { Command, Input } from '../command.ts';
import type { RegistrationTokenView } from '../services.ts';
import { author, permissionProblem, table } from './shared-options.ts';

export const registrationTokenCommands: readonly Command[] = [
  {
    noun: 'registration-token',
    verb: 'create',
    summary: 'Let applications register themselves (RFC 7591). The token is printed once.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'Who gets it, or what for.' },
      uses: { type: 'text', value: 'N', help: 'How many applications it may make; 1 when left out.' },
      expires: {
        type: 'text',
        value: 'ISO',
        help: 'When it ends; a day from now when left out, 90 days at the latest.',
      },
      type: { type: 'text', many: true, oneOf: APPLICATION_TYPES, help: 'Kind of application; all when left out.' },
      auth: { type: 'text', many: true, oneOf: AUTH_METHODS, help: 'How they prove themselves; all when left out.' },
      'keys-required': { type: 'flag', help: 'Web applications have to bring jwks or jwks_uri.' },
      'no-refresh-tokens': { type: 'flag', help: 'The grant type refresh_token can not be registered.' },
      'redirect-host': {
        type: 'text',
        many: true,
        value: 'H',
        help: 'app.example.com, *.example.com or com.example.app:',
      },
      scope: {
        type: 'text',
        many: true,
        value: 'S',
        help: 'Scope that they may have; openid profile email when left out.',
      },
      permission: { type: 'text', many: true, value: 'AUDIENCE#P', help: 'API permission that each is given.' },
    },
    check: (input) => permissionProblem(input.list('permission')),
    async run({ input, services, surroundings }) {
      const { registrationTokens } = await services();
      const { token, ...made } = await registrationTokens.create(readToken(input), author(surroundings));
      return {
        json: { ...asJson(made), token },
        text: [`Registration token ${made.name}: ${made.id}`, `token: ${token}`],
        notes: ['Keep the token now: it is not shown again.'],
      };
    },
  },
  {
    noun: 'registration-token',
    verb: 'list',
    summary: 'Registration tokens, newest first.',
    options: {},
    async run({ services }) {
      const found: RegistrationTokenView[] = [];
      for await (const token of (await services()).registrationTokens.list()) found.push(token);
      const rows = found.map((token) => [
        token.name,
        token.id,
        `${token.used} of ${token.uses}`,
        token.expiresAt.toISOString(),
        token.state,
      ]);
      return {
        json: { registration_tokens: found.map(asJson) },
        text:
          found.length === 0
            ? ['No registration token. Make one with: postern registration-token create']
            : table([['NAME', 'ID', 'USED', 'ENDS', 'STATUS'], ...rows]),
      };
    },
  },
  {
    noun: 'registration-token',
    verb: 'revoke',
    summary: 'Let nothing register with it any more. Applications that did stay.',
    subject: { name: 'ID', required: true },
    options: {},
    async run({ input, services, surroundings }) {
      const { registrationTokens } = await services();
      const token = await registrationTokens.revoke(input.subject ?? '', author(surroundings));
      return { json: asJson(token), text: [`Registration token ${token.name} revoked`] };
    },
  },
];

/** What is left out keeps its default; the use case names what is wrong. */
function readToken(input: Input): InitialTokenInput {
  const scopes = input.list('scope').flatMap((text) => text.split(/\s+/).filter((scope) => scope !== ''));
  const given = <T extends string>(words: readonly T[], name: string) =>
    words.filter((word) => input.list(name).includes(word));
  const types = given(APPLICATION_TYPES, 'type');
  const methods = given(AUTH_METHODS, 'auth');
  return {
    name: input.text('name'),
    uses: input.optional('uses'),
    expires: input.optional('expires'),
    policy: {
      ...(types.length > 0 ? { applicationTypes: types } : {}),
      ...(methods.length > 0 ? { authMethods: methods } : {}),
      ...(input.flag('no-refresh-tokens') ? { grantTypes: ['authorization_code'] } : {}),
      ...(scopes.length > 0
        ? { scopes: ['openid', ...scopes] as NonNullable<InitialTokenInput['policy']['scopes']> }
        : {}),
      keysRequired: input.flag('keys-required'),
      redirectHosts: input.list('redirect-host'),
      permissions: input.list('permission'),
    },
  };
}

function asJson(token: RegistrationTokenView) {
  const { id, name, uses, used, state, policy } = token;
  return {
    ...{ id, name, uses, used, state },
    expires_at: token.expiresAt.toISOString(),
    created_at: token.createdAt.toISOString(),
    policy: {
      application_types: policy.applicationTypes,
      auth_methods: policy.authMethods,
      grant_types: policy.grantTypes,
      scopes: policy.scopes,
      keys_required: policy.keysRequired,
      redirect_hosts: policy.redirectHosts,
      permissions: policy.permissions,
    },
  };
}
