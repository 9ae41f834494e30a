import { open as openFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Config } from '../platform/config/schema.ts';
import { type Command, type Outcome, parseInput, type Surroundings, UsageError } from './command.ts';
import { commands } from './commands.ts';
import { explainFailure, type Failure, localeWords } from './failure.ts';
import { explain, overview, usage } from './help.ts';
import type { Services } from './services.ts';

export type OpenServices = (config: Config) => Promise<Services>;

const INPUT_LIMIT = 8 * 1024;
const FILE_LIMIT = 64 * 1024;

/**
 * One command of the command line. Resolves to the exit status: 0 done, 1 failed, 2 wrong usage. Writes to standard
 * output and standard error only through `surroundings`.
 */
export async function runCli(
  argv: readonly string[],
  surroundings: Surroundings = processSurroundings(),
  open: OpenServices = openFromApp,
): Promise<number> {
  const json = argv.includes('--json');
  let services: Promise<Services> | undefined;
  try {
    const found = findCommand(argv);
    if (found.kind === 'help') {
      await surroundings.out(found.text);
      return 0;
    }
    const { command } = found;
    const input = parseInput(command, found.rest);
    const outcome = await command.run({
      input,
      json,
      surroundings,
      services() {
        services ??= loadSettings(surroundings.env).then(open);
        return services;
      },
    });
    if (outcome === null) return 0;
    await print(outcome, json, surroundings);
    return outcome.exitCode ?? 0;
  } catch (error) {
    if (error instanceof UsageError) {
      await refuse(error, json, surroundings);
      return 2;
    }
    if (error instanceof ReaderGone) return 0;
    await fail(explainFailure(error, await localeWords()), json, surroundings);
    return 1;
  } finally {
    await services?.then((opened) => opened.close()).catch(() => undefined);
  }
}

async function loadSettings(env: NodeJS.ProcessEnv): Promise<Config> {
  const { loadConfig } = await import('../platform/config/load.ts');
  return loadConfig(env);
}

// Loaded late: help and usage errors then answer without opening the whole product.
async function openFromApp(config: Config): Promise<Services> {
  const [{ openServices }, { createLog }] = await Promise.all([
    import('../app.ts'),
    import('../platform/observe/log.ts'),
  ]);
  // Standard output belongs to the command's answer.
  return openServices(config, { log: createLog({ level: 'warn', destination: process.stderr }) });
}

type Found = { kind: 'help'; text: string } | { kind: 'command'; command: Command; rest: string[] };

function findCommand(argv: readonly string[]): Found {
  const words = argv.filter((word) => word !== '--json');
  const [noun, verb] = words;
  if (noun === undefined || noun === '--help' || noun === '-h') return { kind: 'help', text: overview(commands) };
  if (noun === 'help') return { kind: 'help', text: helpFor(words.slice(1)) };

  const single = commands.find((command) => command.noun === noun && command.verb === '');
  if (single) return helpOr(single, words.slice(1));
  const siblings = commands.filter((command) => command.noun === noun);
  if (siblings.length === 0) throw new UsageError(`unknown command: ${noun}`);
  if (verb === '--help' || verb === '-h') return { kind: 'help', text: overview(siblings) };
  const command = siblings.find((candidate) => candidate.verb === verb);
  if (!command) {
    const verbs = siblings.map((candidate) => candidate.verb).join(', ');
    throw new UsageError(verb === undefined ? `${noun} needs one of: ${verbs}` : `unknown: ${noun} ${verb} (${verbs})`);
  }
  return helpOr(command, words.slice(2));
}

function helpOr(command: Command, rest: string[]): Found {
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', text: explain(command) };
  return { kind: 'command', command, rest };
}

function helpFor([noun, verb]: string[]): string {
  if (noun === undefined) return overview(commands);
  const matching = commands.filter((c) => c.noun === noun && (verb === undefined || c.verb === verb));
  if (matching.length === 0) throw new UsageError(`unknown command: ${[noun, verb].join(' ').trim()}`);
  const [only] = matching;
  return matching.length === 1 && only ? explain(only) : overview(matching);
}

async function print(outcome: Outcome, json: boolean, surroundings: Surroundings): Promise<void> {
  if (json) {
    await surroundings.out(`${JSON.stringify(outcome.json)}\n`);
    return;
  }
  if (outcome.text.length > 0) await surroundings.out(`${outcome.text.join('\n')}\n`);
  if (outcome.notes && outcome.notes.length > 0) await surroundings.err(`${outcome.notes.join('\n')}\n`);
}

async function refuse(error: UsageError, json: boolean, surroundings: Surroundings): Promise<void> {
  if (json) {
    await surroundings.out(`${JSON.stringify({ error: { code: 'usage', message: error.message } })}\n`);
    return;
  }
  const hint = error.command ? `Usage: postern ${usage(error.command)}` : 'postern help lists the commands.';
  await surroundings.err(`postern: ${error.message}\n${hint}\n`);
}

async function fail(failure: Failure, json: boolean, surroundings: Surroundings): Promise<void> {
  if (json) {
    await surroundings.out(`${JSON.stringify({ error: failure })}\n`);
    return;
  }
  const fields = Object.entries(failure.fields ?? {}).map(([field, message]) => `  ${field}: ${message}`);
  const hint = /^(?:config|database)\./.test(failure.code) ? ['postern doctor says more.'] : [];
  await surroundings.err(`${[`postern: ${failure.message}`, ...fields, ...hint].join('\n')}\n`);
}

function processSurroundings(): Surroundings {
  return {
    env: process.env,
    osUser: osUser(),
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    readInput,
    readFile,
  };
}

/** Who read standard output went away (`| head`): the command ends quietly. */
class ReaderGone extends Error {}

/** Resolves once the text is handed to the system, so that an exit right after cuts nothing off a pipe. */
function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  // The failure also comes as an event; unheard, it would end the process before the database is let go.
  if (stream.listenerCount('error') === 0) stream.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (!error) resolve();
      else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new ReaderGone() : error);
    });
  });
}

// A uid without a passwd entry makes userInfo throw; containers often run like that.
function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Buffer);
    length += bytes.length;
    if (length > INPUT_LIMIT) throw new UsageError('standard input is longer than 8 KiB');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function readFile(path: string): Promise<string> {
  try {
    await using file = await openFile(path);
    const buffer = Buffer.alloc(FILE_LIMIT + 1);
    let length = 0;
    // A pipe, such as <(command) in a shell, gives less at a time than was asked for.
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
      length += bytesRead;
      if (length > FILE_LIMIT) throw new UsageError(`${path} is longer than 64 KiB`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} can not be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}
