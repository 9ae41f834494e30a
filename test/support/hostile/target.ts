import type { Postern } from '../postern.ts';
import { FAULTS, type FaultKind, HEADER_FAULTS } from './faults.ts';
import { type Answer, faultsOfRefusal, type Given, givenBy, sendForm, widerThan } from './judge.ts';

/** A parameter, and what has to be said of each wrong thing about it. Codes: RFC 6749 5.2 and those that extend it. */
export interface Row {
  name: string;
  /** In the header of this name instead of the form. */
  header?: true;
  /** Codes for a value that is not the right one. */
  wrong: readonly string[];
  /** Codes where it is left out, or empty (RFC 6749 section 3.2: the same); none: it may be. */
  absent?: readonly string[];
  /** Codes where it is there twice. */
  doubled?: readonly string[];
  /** Faults after which the request may be answered as if they were not there, and why. */
  harmless?: { faults: RegExp; why: string };
  /** What is spoiled where a good request does not hold it. */
  sample?: string;
  /** A refusal for it comes so late that what can be used once is used up. */
  spends?: true;
  /** Well-formed values that are not this request's: another client's, expired, replayed … */
  foreign?: Record<string, { value(): string | Promise<string>; codes: readonly string[] }>;
}

export interface Request {
  params: Record<string, string>;
  headers: Record<string, string>;
}

/** An endpoint, or a grant at the token endpoint, with a good request to spoil. */
export interface Target {
  name: string;
  path: string;
  /** Whether the answer is that of a good request; 200 where left out. */
  isGood?(answer: Answer): boolean;
  rows: readonly Row[];
  /** Plain requests of it are answered without the library: each is sent both ways. */
  direct?: true;
  /** A good request. What can be used once is new in it where `renew` was called. */
  good(): Request | Promise<Request>;
  /** Told of each success: something of the request may be used up. */
  renew?(answer: Answer): void | Promise<void>;
  /** What a success gives; members of a token where left out. */
  given?(answer: Answer): Given;
}

/** Header by which a request goes past what answers plain ones (src/oidc/direct). */
const NOT_PLAIN = { 'content-encoding': 'identity' };

const INVALID_REQUEST = ['invalid_request'];

interface Case {
  what: string;
  kind: FaultKind | 'foreign';
  codes: readonly string[] | undefined;
  apply(request: Request): { form: string; headers: Record<string, string> };
}

export function encodeForm(params: Record<string, string>): string {
  return Object.entries(params)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
}

function without<T>(from: Record<string, T>, name: string): Record<string, T> {
  const { [name]: _gone, ...rest } = from;
  return rest;
}

async function casesOf(row: Row): Promise<Case[]> {
  const { name, absent, wrong, doubled = INVALID_REQUEST } = row;
  const codes: Record<FaultKind, readonly string[] | undefined> = {
    absent,
    wrong,
    doubled,
    long: INVALID_REQUEST,
  };
  const replaced = ({ params, headers }: Request, value: string) =>
    row.header
      ? { form: encodeForm(params), headers: { ...headers, [name]: value } }
      : { form: encodeForm({ ...params, [name]: value }), headers };
  const faults: Case[] = row.header
    ? HEADER_FAULTS.map(({ what, kind, write }) => ({
        what,
        kind,
        codes: codes[kind],
        apply: (request) => {
          const value = write(request.headers[name] ?? '');
          return value === undefined
            ? { form: encodeForm(request.params), headers: without(request.headers, name) }
            : replaced(request, value);
        },
      }))
    : FAULTS.map(({ what, kind, write }) => ({
        what,
        kind,
        codes: codes[kind],
        apply: ({ params, headers }) => {
          const rest = encodeForm(without(params, name));
          return { form: [rest, write(name, params[name] ?? row.sample ?? '')].filter(Boolean).join('&'), headers };
        },
      }));
  const foreign = await Promise.all(
    Object.entries(row.foreign ?? {}).map(async ([what, { value, codes }]): Promise<Case> => {
      const made = await value();
      return { what, kind: 'foreign', codes, apply: (request) => replaced(request, made) };
    }),
  );
  return [...faults, ...foreign];
}

/** Each fault of the row, one after the other; answers what was wrong about what came back. */
export async function attack(postern: Postern, target: Target, row: Row): Promise<string[]> {
  const { isGood = ({ status }: Answer) => status === 200, given = givenBy } = target;
  const url = `${postern.url}${target.path}`;
  const found: string[] = [];
  let refusals = 0;

  async function deliver(form: string, headers: Record<string, string>): Promise<Answer> {
    const answer = await sendForm(url, form, headers);
    if (isGood(answer) || row.spends) await target.renew?.(answer);
    if (!isGood(answer)) refusals += 1;
    return answer;
  }
  async function good(leave?: string): Promise<Answer> {
    const { params, headers } = await target.good();
    return deliver(encodeForm(leave === undefined ? params : without(params, leave)), headers);
  }

  const before = await denials(postern);
  const base = await good();
  if (!isGood(base)) return [`the good request is refused: ${base.status} ${base.text}`];
  const most = given(base);
  const bare = row.header || row.absent ? base : await good(row.name);
  const mostAbsent = isGood(bare) ? given(bare) : most;

  for (const { what, kind, codes, apply } of await casesOf(row)) {
    const { form, headers } = await apply(await target.good());
    const ways = target.direct ? [headers, { ...headers, ...NOT_PLAIN }] : [headers];
    const said: string[] = [];
    for (const way of ways) {
      const answer = await deliver(form, way);
      const note = (problems: string[]) => found.push(...problems.map((problem) => `${what}: ${problem}`));
      said.push(`${answer.status} ${answer.body.error ?? ''}`);
      if (!isGood(answer)) {
        note(faultsOfRefusal(answer, codes ?? []));
        continue;
      }
      const allowed = kind === 'absent' ? codes === undefined : row.harmless?.faults.test(what) === true;
      if (!allowed) note([`taken: ${answer.text.slice(0, 120)}`]);
      note(widerThan(given(answer), kind === 'absent' ? mostAbsent : most));
      if (answer.headers.get('cache-control') !== 'no-store') note([`${answer.headers.get('cache-control')}`]);
    }
    if (new Set(said).size > 1) found.push(`${what}: two ways, two answers: ${said.join(' and ')}`);
  }
  const last = await good();
  if (!isGood(last)) found.push(`the good request is refused afterwards: ${last.text}`);
  const events = (await denials(postern)) - before;
  if (events !== refusals) found.push(`${refusals} refusals, ${events} events`);
  return found;
}

async function denials({ db }: Postern): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    'test-denials',
    `SELECT count(*)::int AS n FROM audit_event WHERE outcome = 'denied'`,
    [],
  );
  return row?.n ?? 0;
}
