import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Measured, Slice } from './measure.ts';
import type { RowName } from './options.ts';
import { defined, median, ratios, rounded } from './statistics.ts';

/** A row of the report; null: there is nothing to measure it with. */
export interface Row {
  name: RowName;
  requests_per_s: number | null;
  /** Throughput of the product ÷ that of bare oidc-provider, in the same round. */
  ratio_bare: number | null;
  /** The same ÷ bare node:http. */
  ratio_floor: number | null;
  cpu_us_per_request: number | null;
  p50_ms: number | null;
  p99_ms: number | null;
  errors: number;
  /** Lowest and highest of the rounds, of the row's ratio: against bare, else the floor, else `ratio`. */
  spread: [number | null, number | null];
  /** What made the load: autocannon, wrk, or a generator of our own. */
  load?: string;
  rss_mib?: number | null;
  rss_loaded_mib?: number | null;
  /** Of rows that set the product against itself. */
  ratio?: number | null;
  /** CPU of bare ÷ CPU of the product, for each request; so above 1 is better, as with throughput. */
  cpu_ratio_bare?: number | null;
  cpu_ratio_floor?: number | null;
  /** CPU of PostgreSQL ÷ CPU of the product. */
  cpu_ratio_database?: number | null;
  /** p99 of client_credentials while nobody signs in, and while hashes are under way all the time. */
  token_p99_ms?: number | null;
  token_p99_in_storm_ms?: number | null;
  bare_p99_ms?: number | null;
  floor_p99_ms?: number | null;
  /** Of this row, where it had fewer than the run. */
  rounds?: number;
  void_slices?: number;
  /** Why there are no figures. */
  not_available?: string;
  note?: string;
}

export interface Report {
  machine: {
    cpu: string;
    cores: number;
    memory_mib: number;
    system: string;
    node: string;
    pinned: boolean;
    load: string;
  };
  commit: string;
  rounds: number;
  rows: Row[];
}

export function emptyRow(name: RowName): Row {
  return {
    name,
    requests_per_s: null,
    ratio_bare: null,
    ratio_floor: null,
    cpu_us_per_request: null,
    p50_ms: null,
    p99_ms: null,
    errors: 0,
    spread: [null, null],
  };
}

export function notAvailable(name: RowName, reason: string): Row {
  return { ...emptyRow(name), not_available: reason };
}

function spreadOf(values: number[]): [number | null, number | null] {
  return [rounded(Math.min(...values), 3), rounded(Math.max(...values), 3)];
}

/**
 * The row of what was measured: medians over the rounds. `against` names the contestant whose throughput the product's is
 * divided by where neither bare nor the floor takes part.
 */
export function rowOf(name: RowName, { slices, voided }: Measured, against?: string): Row {
  // A slice without a single answer says nothing of how long one takes.
  const answered = (slice: Slice) => slice.completed > 0;
  const of = <T>(contestant: string, pick: (slice: Slice) => T): T[] => (slices.get(contestant) ?? []).map(pick);
  const middle = (values: (number | undefined)[], digits: number) => rounded(median(defined(values)), digits);
  const perSecond = (contestant: string) => of(contestant, (slice) => slice.perSecond);
  const cpu = (contestant: string) => of(contestant, (slice) => slice.cpu);
  const p99 = (contestant: string) =>
    middle(
      of(contestant, (slice) => (answered(slice) ? slice.p99 : undefined)),
      2,
    );

  const bare = ratios(perSecond('product'), perSecond('bare'));
  const floor = ratios(perSecond('product'), perSecond('floor'));
  const self = against === undefined ? [] : ratios(perSecond('product'), perSecond(against));
  const [main = []] = [self, bare, floor].filter((values) => values.length > 0);
  const database = of('product', ({ databaseCpu, cpu: own }) =>
    databaseCpu === undefined || own === undefined ? undefined : databaseCpu / own,
  );
  return {
    name,
    requests_per_s: middle(perSecond('product'), 1),
    ratio_bare: middle(bare, 3),
    ratio_floor: middle(floor, 3),
    cpu_us_per_request: middle(cpu('product'), 1),
    p50_ms: middle(
      of('product', (slice) => (answered(slice) ? slice.p50 : undefined)),
      2,
    ),
    p99_ms: p99('product'),
    errors: of('product', (slice) => slice.errors).reduce((sum, errors) => sum + errors, 0),
    spread: spreadOf(main),
    load: [...new Set(of('product', (slice) => slice.tool))].join(', '),
    rss_mib: rounded(Math.max(...defined(of('product', (slice) => slice.rssMib))), 1),
    ...(against === undefined ? {} : { ratio: middle(self, 3) }),
    cpu_ratio_bare: middle(ratios(cpu('bare'), cpu('product')), 3),
    cpu_ratio_floor: middle(ratios(cpu('floor'), cpu('product')), 3),
    cpu_ratio_database: middle(database, 3),
    ...(slices.has('bare') ? { bare_p99_ms: p99('bare') } : {}),
    ...(slices.has('floor') ? { floor_p99_ms: p99('floor') } : {}),
    rounds: perSecond('product').length,
    void_slices: voided,
  };
}

export function reportOf(rows: Row[], rounds: number, pinned: boolean): Report {
  const processors = cpus();
  return {
    machine: {
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memory_mib: Math.round(totalmem() / 1024 / 1024),
      system: `${process.platform} ${release()}`,
      node: process.version,
      pinned,
      load: [...new Set(rows.flatMap(({ load }) => load ?? []))].sort().join(', '),
    },
    commit: commit(),
    rounds,
    rows,
  };
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain', '--', '../../src') === '' ? '' : ' + changes'}`;
  } catch {
    return 'unknown';
  }
}

const COLUMNS: [string, (row: Row) => string | number | null | undefined][] = [
  ['row', (row) => row.name],
  ['req/s', (row) => row.requests_per_s],
  ['÷ bare', (row) => row.ratio_bare],
  ['÷ floor', (row) => row.ratio_floor],
  ['÷ self', (row) => row.ratio],
  ['low–high', ({ spread: [low, high] }) => (low === null ? null : `${low}–${high}`)],
  ['CPU µs', (row) => row.cpu_us_per_request],
  ['CPU ÷ bare', (row) => row.cpu_ratio_bare],
  ['CPU ÷ floor', (row) => row.cpu_ratio_floor],
  ['DB CPU', (row) => row.cpu_ratio_database],
  ['p50 ms', (row) => row.p50_ms],
  ['p99 ms', (row) => row.p99_ms],
  ['floor p99', (row) => row.floor_p99_ms],
  ['errors', (row) => (row.not_available === undefined ? row.errors : null)],
  ['RSS MiB', (row) => row.rss_mib],
  ['load', (row) => row.load],
];

/** As Markdown, so that it can stand in the documentation as it is. */
export function tableOf({ machine, commit: version, rounds, rows }: Report): string {
  const cells = [
    COLUMNS.map(([title]) => title),
    ...rows.map((row) => COLUMNS.map(([, value]) => String(value(row) ?? '·'))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(3, ...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  const notes = rows.flatMap(({ name, not_available, note }) =>
    [not_available === undefined ? undefined : `not available: ${not_available}`, note].flatMap((text) =>
      text === undefined ? [] : [`- ${name}: ${text}`],
    ),
  );
  const head =
    `${machine.cpu}, ${machine.cores} cores, Node.js ${machine.node}, load by ${machine.load || 'nothing'}, ` +
    `commit ${version}, ${rounds} rounds`;
  return [head, '', ...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}
