import type { TeamListItem } from '../../features/teams/store.ts';
import type { Command } from '../command.ts';
import { author, table } from './shared-options.ts';

export const teamCommands: readonly Command[] = [
  {
    noun: 'team',
    verb: 'create',
    summary: 'Make a team: people and services that hold the roles given to it.',
    options: {
      name: { type: 'text', required: true, value: 'N', help: 'Name of the team, unique; tokens name it as a group.' },
      description: { type: 'text', value: 'TEXT', help: 'What the team does.' },
      parent: { type: 'text', value: 'N', help: 'Name of the team that it is part of, whose roles it has, too.' },
    },
    async run({ input, services, surroundings }) {
      const parent = input.optional('parent');
      const description = input.optional('description') ?? '';
      const { teams } = await services();
      const { id, name } = await teams.create(
        { name: input.text('name'), description, ...(parent === undefined ? {} : { parent }) },
        author(surroundings),
      );
      return { json: { id, name }, text: [`Team ${name} made (${id})`] };
    },
  },
  {
    noun: 'team',
    verb: 'add',
    summary: 'Make a person or a service account a member of a team.',
    options: {
      team: { type: 'text', required: true, value: 'N', help: 'Name or id of the team.' },
      user: { type: 'text', value: 'E', help: 'E-mail address or id of the person.' },
      'service-account': { type: 'text', value: 'ID', help: 'Id, client id or name of the service account.' },
    },
    check(input) {
      const given = [input.optional('user'), input.optional('service-account')].filter((value) => value !== undefined);
      return given.length === 1 ? null : 'give either --user or --service-account';
    },
    async run({ input, services, surroundings }) {
      const team = input.text('team');
      const user = input.optional('user');
      const account = input.optional('service-account') ?? '';
      const { teams } = await services();
      const member = user !== undefined ? { user } : { serviceAccount: account };
      const added = await teams.add(team, member, author(surroundings));
      const named = user !== undefined ? { user } : { service_account: account };
      const said = added ? 'is in team' : 'was in team already:';
      return { json: { team, ...named, added }, text: [`${user ?? account} ${said} ${team}`] };
    },
  },
  {
    noun: 'team',
    verb: 'list',
    summary: 'All teams, newest first.',
    options: {},
    async run({ services }) {
      const found: TeamListItem[] = [];
      for await (const team of (await services()).teams.list()) found.push(team);
      const row = ({ name, parent, members, roles }: TeamListItem) => [
        name,
        parent?.name ?? '',
        String(members),
        String(roles),
      ];
      return {
        json: { teams: found.map(asJson) },
        text:
          found.length === 0
            ? ['There are no teams. Make one with: postern team create --name NAME']
            : table([['NAME', 'PART OF', 'MEMBERS', 'ROLES'], ...found.map(row)]),
      };
    },
  },
];

function asJson({ id, name, description, parent, members, roles, createdAt }: TeamListItem) {
  return { id, name, description, parent: parent?.name ?? null, members, roles, created_at: createdAt.toISOString() };
}
