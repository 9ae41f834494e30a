/** One HTTP request; `{item}` is replaced by what the plan has at hand, `{address}` by another address each time. */
export interface Template {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** What a connection sends, one request after the other. */
export type Plan =
  /** The requests in turn; each connection begins at another one. */
  | { type: 'rotate'; requests: Template[]; keep?: string }
  /** Each item once. */
  | { type: 'each'; template: Template; items: string[] }
  /** Each connection begins with an item of its own and goes on with the field `next` of the answer. */
  | { type: 'chain'; template: Template; items: string[]; next: string }
  /** A first request, then another with the field `next` of the first one's answer. */
  | { type: 'pair'; pairs: { first: Template; second: Template }[]; next: string };

export interface ClosedJob {
  kind: 'closed';
  origin: string;
  connections: number;
  /** One of the two; with `amount` the slice ends when so many were answered. */
  seconds?: number;
  amount?: number;
  /** Whole seconds between connecting and the first request, before `seconds`; only wrk can wait so. */
  ramp?: number;
  plan: Plan;
}

/** Requests that arrive whatever happens: the next one does not wait for an answer. */
export interface OpenJob {
  kind: 'open';
  origin: string;
  connections: number;
  /** Requests a second. */
  rate: number;
  seconds: number;
  /** Seconds between connecting and the first request, before `seconds`. */
  ramp?: number;
  requests: Template[];
}

export interface SignInJob {
  kind: 'sign-in';
  origin: string;
  /** Browsers that sign in at the same time. */
  browsers: number;
  seconds: number;
  authorize: string;
  people: { login: string; password: string; secret: string }[];
}

export type Job = ClosedJob | OpenJob | SignInJob;

export interface LoadResult {
  /** What made the load. */
  tool: 'autocannon' | 'wrk' | 'own';
  completed: number;
  seconds: number;
  /** Answers that are no success, lost connections, timeouts. */
  errors: number;
  p50: number;
  p99: number;
  statuses: Record<string, number>;
  /** Values of the field that the plan keeps. */
  kept: string[];
  /** Of an open loop. */
  open?: OpenDetails;
}

export interface OpenDetails {
  byStatus: Record<string, { count: number; p50: number; p99: number }>;
  /** Answers with 503 that don't say when to try again. */
  withoutRetryAfter: number;
  /** Requests whose answer never came. */
  lost: number;
  /** From the last request to the last answer. */
  lastAnswerMs: number;
}

/** The value at a quantile (0 … 1) of unsorted samples; 0 of none. */
export function quantile(samples: number[], q: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

/** Requests come from many addresses, as they do behind a proxy; the product limits each of them. */
export function addressOf(index: number): string {
  return `10.9.${Math.floor(index / 250) % 250}.${1 + (index % 250)}`;
}

/** As it goes over the wire. */
export function bytesOf(template: Template, host: string): Buffer {
  const body = template.body ?? '';
  const length = template.method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const headers = { host, connection: 'keep-alive', ...template.headers, ...length };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`${template.method} ${template.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

let filled = 0;

export function fill(template: Template, item: string): Template {
  filled += 1;
  const put = (text: string) => text.replaceAll('{item}', item).replaceAll('{address}', addressOf(filled));
  const headers = Object.fromEntries(Object.entries(template.headers).map(([name, value]) => [name, put(value)]));
  const request = { method: template.method, path: put(template.path), headers };
  return template.body === undefined ? request : { ...request, body: put(template.body) };
}

/** Milliseconds to two digits. */
export function summary(samples: number[]): { p50: number; p99: number } {
  const round = (value: number) => Math.round(value * 100) / 100;
  return { p50: round(quantile(samples, 0.5)), p99: round(quantile(samples, 0.99)) };
}
