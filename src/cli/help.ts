import { type Command, commandName, type OptionSpec } from './command.ts';

const PREFIX = 'postern';

/** All commands, one line each. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map((command) => [synopsis(command), command.summary] as const);
  const lines: string[] = ['Usage: postern NOUN VERB [options] [--json]', ''];
  const width = Math.max(...rows.map(([name]) => name.length));
  let noun = '';
  for (const [index, [name, summary]] of rows.entries()) {
    const command = commands[index];
    if (command && noun !== '' && command.noun !== noun) lines.push('');
    noun = command?.noun ?? noun;
    lines.push(`  ${name.padEnd(width)}  ${summary}`);
  }
  lines.push(
    '',
    'postern help NOUN [VERB] explains one command. --json prints one JSON document on standard output.',
    'Exit status: 0 done, 1 failed, 2 wrong usage. Settings are those of the server (environment).',
    '',
  );
  return lines.join('\n');
}

/** One command with its options. */
export function explain(command: Command): string {
  const options = Object.entries(command.options);
  const lines = [`Usage: ${PREFIX} ${usage(command)}`, '', command.summary, ''];
  if (options.length > 0) {
    const rows = options.map(([name, spec]) => [optionText(name, spec), optionHelp(spec)] as const);
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, help] of rows) lines.push(`  ${name.padEnd(width)}  ${help}`);
    lines.push('');
  }
  return lines.join('\n');
}

export function usage(command: Command): string {
  const parts = [synopsis(command)];
  for (const [name, spec] of Object.entries(command.options)) {
    const text = optionText(name, spec);
    parts.push(spec.required ? `${text}${spec.many ? ' …' : ''}` : `[${text}]${spec.many ? '…' : ''}`);
  }
  return `${parts.join(' ')} [--json]`;
}

function synopsis(command: Command): string {
  const subject = command.subject
    ? command.subject.required
      ? command.subject.name
      : `[${command.subject.name}]`
    : '';
  return [commandName(command), subject].filter((part) => part !== '').join(' ');
}

function optionText(name: string, spec: OptionSpec): string {
  return spec.type === 'flag' ? `--${name}` : `--${name} ${spec.oneOf?.join('|') ?? spec.value ?? 'VALUE'}`;
}

function optionHelp(spec: OptionSpec): string {
  const notes = [spec.required ? 'required' : '', spec.many ? 'may be repeated' : ''].filter((note) => note !== '');
  return `${spec.help}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
}
