import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { Services } from './services.ts';

export interface OptionSpec {
  type: 'text' | 'flag';
  /** May be given more than once. */
  many?: boolean;
  required?: boolean;
  /** The word that stands for the value in the help. */
  value?: string;
  oneOf?: readonly string[];
  help: string;
}

/** What a command gives back: `json` is the one document of --json, `text` the lines for a person. */
export interface Outcome {
  json: unknown;
  text: readonly string[];
  /** Lines for standard error: what a person should know but a pipe should not get. */
  notes?: readonly string[];
  exitCode?: 0 | 1;
}

/** The world outside, handed in so that tests can stand in for it. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  /** Name of the operating-system user, written into the audit trail. */
  osUser: string;
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** All of standard input; rejects beyond 8 KiB. */
  readInput(): Promise<string>;
  /** A file that the command line names; rejects beyond 64 KiB. */
  readFile(path: string): Promise<string>;
}

export interface CommandContext {
  input: Input;
  json: boolean;
  surroundings: Surroundings;
  /** Opens database, keys and services once; the frame closes them. */
  services(): Promise<Services>;
}

export interface Command {
  noun: string;
  /** Empty for commands of one word. */
  verb: string;
  summary: string;
  /** Name of the positional argument, such as `E-MAIL|ID`. */
  subject?: { name: string; required: boolean };
  options: Readonly<Record<string, OptionSpec>>;
  /** Rules between options; returns what is wrong. */
  check?(input: Input): string | null;
  /** null: the command wrote its own output. */
  run(context: CommandContext): Promise<Outcome | null>;
}

/** Wrong usage: exit 2. */
export class UsageError extends Error {
  readonly command: Command | undefined;

  constructor(message: string, command?: Command) {
    super(message);
    this.name = 'UsageError';
    this.command = command;
  }
}

/** The values of a command line that was checked against the command's declaration. */
export interface Input {
  subject: string | undefined;
  text(name: string): string;
  optional(name: string): string | undefined;
  list(name: string): string[];
  flag(name: string): boolean;
}

export function commandName(command: Command): string {
  return command.verb === '' ? command.noun : `${command.noun} ${command.verb}`;
}

/** Parses what follows `NOUN VERB`; throws UsageError. */
export function parseInput(command: Command, argv: readonly string[]): Input {
  const options: ParseArgsOptionsConfig = { json: { type: 'boolean' } };
  for (const [name, spec] of Object.entries(command.options)) {
    options[name] = { type: spec.type === 'flag' ? 'boolean' : 'string', multiple: spec.many ?? false };
  }
  const { values, positionals } = parse(command, argv, options);

  if (positionals.length > (command.subject ? 1 : 0)) {
    throw new UsageError(`unexpected argument: ${positionals[command.subject ? 1 : 0]}`, command);
  }
  if (command.subject?.required && positionals[0] === undefined) {
    throw new UsageError(`${command.subject.name} is missing`, command);
  }
  for (const [name, spec] of Object.entries(command.options)) checkOption(command, name, spec, values[name]);

  const input = toInput(positionals[0], values);
  const problem = command.check?.(input) ?? null;
  if (problem !== null) throw new UsageError(problem, command);
  return input;
}

type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

function parse(command: Command, argv: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { values: parsed.values as Values, positionals: parsed.positionals };
  } catch (error) {
    // parseArgs explains itself in its first sentence; the rest is about escaping.
    const message = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(message, command);
  }
}

function checkOption(command: Command, name: string, spec: OptionSpec, given: Values[string]): void {
  if (given === undefined) {
    if (spec.required) throw new UsageError(`--${name} is missing`, command);
    return;
  }
  for (const value of Array.isArray(given) ? given : [given]) {
    if (value === '') throw new UsageError(`--${name} has no value`, command);
    if (spec.oneOf && typeof value === 'string' && !spec.oneOf.includes(value)) {
      throw new UsageError(`--${name} must be one of ${spec.oneOf.join(', ')}`, command);
    }
  }
}

function toInput(subject: string | undefined, values: Values): Input {
  const optional = (name: string) => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    subject,
    optional,
    text(name) {
      const value = optional(name);
      if (value === undefined) throw new Error(`option ${name} is not declared as required`);
      return value;
    },
    list(name) {
      const value = values[name];
      return Array.isArray(value) ? value.map(String) : [];
    },
    flag: (name) => values[name] === true,
  };
}
