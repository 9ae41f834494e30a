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

/** Whom a role is given to: the options that name one. */
const HOLDERS = ['user', 'service-account', 'team'] as const;

export const roleCommands: readonly Command[] = [
  {
    noun: 'role',
    verb: 'create',
    summary: 'Make a role: a named set of permissions for people, service accounts and teams.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'Name of the role, unique.' },
      description: { type: 'text', value: 'TEXT', help: 'What the role is for.' },
      permission: { type: 'text', many: true, value: 'AUDIENCE#P', help: 'A permission of an API.' },
      include: { type: 'text', many: true, value: 'ROLE', help: 'A role that its holders hold, too.' },
    },
    check: (input) => permissionProblem(input.list('permission')),
    async run({ input, services, surroundings }) {
      const { roles } = await services();
      const role = await roles.create(
        {
          name: input.text('name'),
          description: input.optional('description') ?? '',
          permissions: input.list('permission'),
          includes: input.list('include'),
        },
        author(surroundings),
      );
      const { id, name, permissions, includes } = role;
      const included = includes.length === 0 ? '' : `, including ${includes.join(', ')}`;
      return {
        json: { id, name, permissions, includes },
        text: [`Role ${name} made with ${permissions.length} permission(s)${included}`],
      };
    },
  },
  {
    noun: 'role',
    verb: 'assign',
    summary: 'Give a role to a person, a service account or a team. Giving it again changes when it ends.',
    options: {
      role: { type: 'text', required: true, value: 'N', help: 'Name of the role.' },
      user: { type: 'text', value: 'E', help: 'E-mail address or id of the person.' },
      'service-account': { type: 'text', value: 'ID', help: 'Id, client id or name of the service account.' },
      team: { type: 'text', value: 'N', help: 'Name or id of the team.' },
      expires: { type: 'text', value: 'ISO', help: 'When it ends, such as 2027-01-31T18:00Z; never when left out.' },
    },
    check(input) {
      const given = HOLDERS.filter((name) => input.optional(name) !== undefined);
      return given.length === 1 ? null : 'give one of --user, --service-account and --team';
    },
    async run({ input, services, surroundings }) {
      const { roles, users } = await services();
      const role = input.text('role');
      const by = author(surroundings);
      const expires = input.optional('expires');
      const [user, account, team] = HOLDERS.map((name) => input.optional(name));
      if (user !== undefined) await users.assignRole(await users.find(user), role, by, expires);
      else if (team !== undefined) await roles.assignToTeam(role, team, by, expires);
      else await roles.assignToServiceAccount(role, account ?? '', by, expires);
      const holder = user !== undefined ? { user } : team !== undefined ? { team } : { service_account: account };
      const until = expires === undefined ? '' : ` until ${expires}`;
      return {
        json: { role, ...holder, ...(expires === undefined ? {} : { expires }) },
        text: [`Role ${role} assigned to ${user ?? team ?? account}${until}`],
      };
    },
  },
];

function splitPermission(text: string): { name: string; description: string } {
  const at = text.indexOf('=');
  return at === -1 ? { name: text, description: '' } : { name: text.slice(0, at), description: text.slice(at + 1) };
}
