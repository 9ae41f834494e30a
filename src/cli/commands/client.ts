import type { Command } from '../command.ts';
import type { NewClient } from '../services.ts';
import { author, permissionProblem } from './shared-options.ts';

export const clientCommands: readonly Command[] = [
  {
    noun: 'client',
    verb: 'create',
    summary: 'Register an application that signs people in. Its secret is printed once.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'What people read on the consent page.' },
      type: {
        type: 'text',
        required: true,
        oneOf: ['web', 'spa', 'native'],
        help: 'web: a server that keeps a secret; spa: a page in the browser; native: a program on a device.',
      },
      'redirect-uri': { type: 'text', many: true, required: true, value: 'U', help: 'Where a sign-in may return to.' },
      'post-logout-redirect-uri': { type: 'text', many: true, value: 'U', help: 'Where a sign-out may return to.' },
      scope: {
        type: 'text',
        many: true,
        value: 'S',
        help: 'openid, profile, email, roles, groups or offline_access; openid profile email when left out.',
      },
      permission: { type: 'text', many: true, value: 'AUDIENCE#P', help: 'API permission that it may ask for.' },
      'first-party': { type: 'flag', help: 'It is one of your own: people are not asked for consent.' },
      auth: { type: 'text', oneOf: ['secret', 'none'], help: 'How it proves itself; web: secret, the others: none.' },
    },
    check(input) {
      const auth = input.optional('auth');
      const fitting = input.text('type') === 'web' ? 'secret' : 'none';
      if (auth !== undefined && auth !== fitting) return `--type ${input.text('type')} goes with --auth ${fitting}`;
      return permissionProblem(input.list('permission'));
    },
    async run({ input, services, surroundings }) {
      const scopes = input.list('scope').flatMap((text) => text.split(/\s+/).filter((scope) => scope !== ''));
      const { clients } = await services();
      const client = await clients.create(
        {
          name: input.text('name'),
          type: input.text('type') as NewClient['type'],
          redirectUris: input.list('redirect-uri'),
          postLogoutRedirectUris: input.list('post-logout-redirect-uri'),
          scopes: scopes.length > 0 ? scopes : ['openid', 'profile', 'email'],
          permissions: input.list('permission'),
          firstParty: input.flag('first-party'),
        },
        author(surroundings),
      );
      const secret = client.clientSecret;
      return {
        json: { client_id: client.clientId, ...(secret === undefined ? {} : { client_secret: secret }) },
        text: [`client_id: ${client.clientId}`, ...(secret === undefined ? [] : [`client_secret: ${secret}`])],
        notes: secret === undefined ? [] : ['Keep the secret now: it is not shown again.'],
      };
    },
  },
];
