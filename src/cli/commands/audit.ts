import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { toExported } from '../../features/audit-trail/export.ts';
import type { Command, CommandContext, Outcome } from '../command.ts';
import { author } from './shared-options.ts';

const FILE_MODE = 0o600;

export const auditCommands: readonly Command[] = [
  {
    noun: 'audit',
    verb: 'export',
    summary: 'Write the audit events, oldest first.',
    options: {
      format: { type: 'text', required: true, oneOf: ['jsonl', 'csv'], help: 'How they are written.' },
      output: { type: 'text', value: 'FILE', help: 'Write there instead of to standard output.' },
      from: { type: 'text', value: 'TIME', help: 'Events from this time on (ISO 8601).' },
      to: { type: 'text', value: 'TIME', help: 'Events before this time (ISO 8601).' },
      action: { type: 'text', value: 'A', help: 'Only this action (user.sign_in), or all of a noun (user).' },
    },
    check(input) {
      const bad = ['from', 'to'].find((name) => Number.isNaN(Date.parse(input.optional(name) ?? '2000-01-01')));
      return bad === undefined ? null : `--${bad} must be a time such as 2026-01-31T12:00:00Z`;
    },
    run: exportEvents,
  },
];

async function exportEvents(context: CommandContext): Promise<Outcome | null> {
  const { input, json, surroundings } = context;
  const { events } = await context.services();
  const format = input.text('format') === 'csv' ? 'csv' : 'jsonl';
  const file = input.optional('output');
  const filter = {
    action: input.optional('action'),
    from: time(input.optional('from')),
    to: time(input.optional('to')),
  };
  const records = await events.export(filter, format, author(surroundings));

  if (file !== undefined) {
    const count = await writeFile(file, records, format === 'csv');
    return { json: { file, format, events: count }, text: [], notes: [`${count} event(s) written to ${file}`] };
  }
  if (json) {
    // One document: an array, in pieces, as the trail may be longer than memory.
    let separator = '[';
    for await (const event of events.read(filter)) {
      await surroundings.out(`${separator}${JSON.stringify(toExported(event))}`);
      separator = ',\n';
    }
    await surroundings.out(separator === '[' ? '[]\n' : ']\n');
    return null;
  }
  for await (const record of records) await surroundings.out(record);
  return null;
}

/** The file appears whole or not at all. Returns the number of events. */
async function writeFile(file: string, records: AsyncIterable<string>, hasHead: boolean): Promise<number> {
  const draft = `${file}.${process.pid}.part`;
  let count = hasHead ? -1 : 0;
  async function* counted() {
    for await (const record of records) {
      count += 1;
      yield record;
    }
  }
  try {
    await pipeline(Readable.from(counted()), createWriteStream(draft, { mode: FILE_MODE, flags: 'wx' }));
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return count;
}

function time(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
