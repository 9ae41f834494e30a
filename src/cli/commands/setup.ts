import { AppError } from '../../kernel/errors.ts';
import type { Command } from '../command.ts';

export const setupCommands: readonly Command[] = [
  {
    noun: 'setup-link',
    verb: '',
    summary: 'Print the single-use link that makes the first admin.',
    options: {},
    async run({ services }) {
      const url = await (await services()).setupLink();
      if (url === null) throw new AppError('setup.done', { status: 409 });
      return { json: { url }, text: [url] };
    },
  },
];
