import { parseArgs } from 'node:util';

export const ROWS = [
  'cc_jwt_es256',
  'cc_jwt_eddsa',
  'cc_opaque',
  'cc_1000_connections',
  'cc_open_loop_1000',
  'introspect_jwt',
  'introspect_opaque',
  'userinfo',
  'refresh',
  'code_exchange',
  'sign_in',
  'revoke',
  'metadata',
  'jwks',
  'workers_2_over_1',
  'growth_rows',
  'growth_clients',
  'start',
  'idle_memory',
] as const;
export type RowName = (typeof ROWS)[number];

/** Rows whose load can be put under the profiler. */
export const PROFILED = [
  'cc_jwt_es256',
  'introspect_jwt',
  'introspect_opaque',
  'userinfo',
  'refresh',
  'sign_in',
  'metadata',
] as const;
export type ProfiledLoad = (typeof PROFILED)[number];

/** How long and how often; all times in seconds. */
export interface Effort {
  rounds: number;
  slice: number;
  warmUp: number;
  /** Requests of a slice whose inputs can be used once only. */
  once: number;
  /** Rows of the large database. */
  rows: number;
  starts: number;
  idle: number;
  /** From the start of the run: when the time runs out, rounds are left out, down to one for each row. */
  most: number;
}

export const FULL: Effort = {
  rounds: 9,
  slice: 2,
  warmUp: 3,
  once: 600,
  rows: 5_000_000,
  starts: 7,
  idle: 10,
  most: 3_600,
};
export const QUICK: Effort = {
  rounds: 3,
  slice: 0.4,
  warmUp: 0.3,
  once: 64,
  rows: 50_000,
  starts: 2,
  idle: 1,
  most: 90,
};

export type Command =
  | { verb: 'rows'; rows: RowName[]; effort: Effort; json: boolean; out: string | undefined }
  | { verb: 'soak'; minutes: number; workers: number; connections: number; mixed: boolean; json: boolean }
  | { verb: 'kill'; seconds: number; json: boolean }
  | { verb: 'overload'; seconds: number; workers: number; connections: number; json: boolean }
  | { verb: 'profile'; load: ProfiledLoad; seconds: number; out: string | undefined; json: boolean };

export const USAGE = `Usage: npm run bench -- [--quick] [--only ROW,…] [--rounds N] [--rows N] [--out FILE] [--json]
       npm run bench -- soak [--minutes N] [--workers N] [--connections N] [--mixed] [--json]
       npm run bench -- kill [--seconds N] [--json]
       npm run bench -- overload [--seconds N] [--workers N] [--connections N] [--json]
       npm run bench -- profile [--only ROW] [--seconds N] [--out FILE.cpuprofile] [--json]
Rows: ${ROWS.join(', ')}
Rows for profile: ${PROFILED.join(', ')}`;

/** What was asked for is no bench. */
export class UsageError extends Error {}

function isRow(name: string): name is RowName {
  return (ROWS as readonly string[]).includes(name);
}

function profiled(only: string[] = ['cc_jwt_es256']): ProfiledLoad {
  const load = PROFILED.find((name) => name === only[0]);
  if (load === undefined || only.length > 1) throw new UsageError(`profile takes one of ${PROFILED.join(', ')}`);
  return load;
}

function wholeNumber(text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) throw new UsageError(`${text} is not from 1 to ${most}`);
  return value;
}

export function readCommand(argv: string[]): Command {
  const { values, positionals } = parse(argv);
  const json = values.json ?? false;
  const [verb = 'rows'] = positionals;
  if (positionals.length > 1)
    throw new UsageError(`one of soak, kill, overload and profile, not ${positionals.join(' ')}`);
  switch (verb) {
    case 'rows': {
      const effort = values.quick ? QUICK : FULL;
      const only = values.only?.flatMap((list) => list.split(',')).filter((name) => name !== '');
      const unknown = only?.find((name) => !isRow(name));
      if (unknown !== undefined) throw new UsageError(`${unknown} is not a row`);
      return {
        verb,
        rows: ROWS.filter((name) => only === undefined || only.includes(name)),
        effort: {
          ...effort,
          rounds: wholeNumber(values.rounds, effort.rounds, 99),
          rows: wholeNumber(values.rows, effort.rows, 50_000_000),
        },
        json,
        out: values.out,
      };
    }
    case 'soak':
      return {
        verb,
        minutes: wholeNumber(values.minutes, 10, 24 * 60),
        workers: wholeNumber(values.workers, 1, 64),
        connections: wholeNumber(values.connections, 64, 5_000),
        mixed: values.mixed ?? false,
        json,
      };
    case 'kill':
      return { verb, seconds: wholeNumber(values.seconds, 60, 3_600), json };
    case 'overload':
      return {
        verb,
        seconds: wholeNumber(values.seconds, 10, 600),
        workers: wholeNumber(values.workers, 1, 64),
        connections: wholeNumber(values.connections, 4_000, 10_000),
        json,
      };
    case 'profile':
      return {
        verb,
        load: profiled(values.only),
        seconds: wholeNumber(values.seconds, 10, 300),
        out: values.out,
        json,
      };
    default:
      throw new UsageError(`${verb} is none of soak, kill, overload and profile`);
  }
}

function parse(argv: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        quick: flag,
        json: flag,
        only: { ...text, multiple: true },
        rounds: text,
        rows: text,
        out: text,
        minutes: text,
        seconds: text,
        workers: text,
        connections: text,
        mixed: flag,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
