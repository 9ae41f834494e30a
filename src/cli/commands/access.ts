import { CLAIM_PROFILES, SIGNING_ALGORITHMS, TOKEN_FORMATS } from '../../kernel/access-token.ts';
import type { Command } from '../command.ts';
import { author, oneOf, permissionProblem } from './shared-options.ts';

const PERMISSION_NAME = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

export const apiCommands: readonly Command[] = [
  {
    noun: 'api',
    verb: 'create',
    summary: 'Declare an API: the audience of its tokens and its permissions.',
    options: {
      audience: {
        type: 'text',
        required: true,
        value: 'URI',
        help: 'Absolute URI that tokens for this API carry as aud.',
      },
      name: { type: 'text', value: 'NAME', help: 'What people read; the audience when left out.' },
      permission: {
        type: 'text',
        many: true,
        required: true,
        value: 'P[=TEXT]',
        help: 'A permission (a scope token) and, after =, what it allows in words.',
      },
      'token-format': {
        type: 'text',
        oneOf: TOKEN_FORMATS,
        help: 'jwt (default): the API verifies it by itself; opaque: it asks Postern at each use.',
      },
      'signing-alg': {
        type: 'text',
        oneOf: SIGNING_ALGORITHMS,
        help: 'What signs its JWTs; ES256 when left out.',
      },
      claims: {
        type: 'text',
        oneOf: CLAIM_PROFILES,
        help: 'standard (default): the claims of RFC 9068; keycloak or auth0: with the names of that product beside them.',
      },
    },
    check(input) {
      const bad = input.list('permission').find((text) => !PERMISSION_NAME.test(splitPermission(text).name));
      return bad === undefined ? null : `--permission ${bad} is not a scope token (RFC 6749 section 3.3)`;
    },
    async run({ input, services, surroundings }) {
      const { apis } = await services();
      const name = input.optional('name');
      const api = await apis.create(
        {
          audience: input.text('audience'),
          ...(name === undefined ? {} : { name }),
          permissions: input.list('permission').map(splitPermission),
          tokenFormat: oneOf(TOKEN_FORMATS, input.optional('token-format')),
          signingAlg: oneOf(SIGNING_ALGORITHMS, input.optional('signing-alg')),
          claimProfile: oneOf(CLAIM_PROFILES, input.optional('claims')),
        },
        author(surroundings),
      );
      return {
        json: { id: api.id, audience: api.audience, permissions: api.permissions },
        text: [`API ${api.audience} has ${api.permissions.length} permission(s): ${api.permissions.join(', ')}`],
      };
    },
  },
];

export const roleCommands: readonly Command[] = [
  {
    noun: 'role',
    verb: 'create',
    summary: 'Make a role: a named set of permissions for people and service accounts.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'Name of the role, unique.' },
      description: { type: 'text', value: 'TEXT', help: 'What the role is for.' },
      permission: { type: 'text', many: true, value: 'AUDIENCE#P', help: 'A permission of an API.' },
    },
    check: (input) => permissionProblem(input.list('permission')),
    async run({ input, services, surroundings }) {
      const { roles } = await services();
      const role = await roles.create(
        {
          name: input.text('name'),
          description: input.optional('description') ?? '',
          permissions: input.list('permission'),
        },
        author(surroundings),
      );
      return {
        json: { id: role.id, name: role.name, permissions: role.permissions },
        text: [`Role ${role.name} made with ${role.permissions.length} permission(s)`],
      };
    },
  },
  {
    noun: 'role',
    verb: 'assign',
    summary: 'Give a role to a person or a service account.',
    options: {
      role: { type: 'text', required: true, value: 'N', help: 'Name of the role.' },
      user: { type: 'text', value: 'E', help: 'E-mail address or id of the person.' },
      'service-account': { type: 'text', value: 'ID', help: 'Id, client id or name of the service account.' },
    },
    check(input) {
      const given = [input.optional('user'), input.optional('service-account')].filter((value) => value !== undefined);
      return given.length === 1 ? null : 'give either --user or --service-account';
    },
    async run({ input, services, surroundings }) {
      const { roles, users } = await services();
      const role = input.text('role');
      const by = author(surroundings);
      const user = input.optional('user');
      const account = input.optional('service-account') ?? '';
      if (user !== undefined) await users.assignRole(await users.find(user), role, by);
      else await roles.assignToServiceAccount(role, account, by);
      const holder = user !== undefined ? { user } : { service_account: account };
      return { json: { role, ...holder }, text: [`Role ${role} assigned to ${user ?? account}`] };
    },
  },
];

function splitPermission(text: string): { name: string; description: string } {
  const at = text.indexOf('=');
  return at === -1 ? { name: text, description: '' } : { name: text.slice(0, at), description: text.slice(at + 1) };
}
