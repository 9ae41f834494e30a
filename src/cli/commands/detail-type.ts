import type { Command } from '../command.ts';
import { author } from './shared-options.ts';

export const detailTypeCommands: readonly Command[] = [
  {
    noun: 'api',
    verb: 'add-detail-type',
    summary: 'Declare what people can be asked to allow in detail at an API (RFC 9396).',
    options: {
      audience: { type: 'text', required: true, value: 'URI', help: 'The API, by its audience.' },
      type: { type: 'text', required: true, value: 'T', help: 'A word or a URI; requests name it as type.' },
      description: { type: 'text', required: true, value: 'TEXT', help: 'What people read when they are asked.' },
      schema: { type: 'text', required: true, value: 'FILE', help: 'JSON Schema of its fields.' },
    },
    async run({ input, services, surroundings }) {
      const schema = await surroundings.readFile(input.text('schema'));
      const { apis } = await services();
      const [audience, type] = [input.text('audience'), input.text('type')];
      const given = { type, description: input.text('description'), schema };
      await apis.addDetailType(audience, given, author(surroundings));
      return { json: { audience, type }, text: [`${type} can be asked for at ${audience}`] };
    },
  },
];
