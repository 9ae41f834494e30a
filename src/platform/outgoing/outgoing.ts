import { lookup as systemLookup } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { AppError } from '../../kernel/errors.ts';
import { isPublicAddress } from './addresses.ts';
import { createAllowList } from './allow-list.ts';
import { ask, type Reply, type Resolved } from './exchange.ts';

export interface Limits {
  /** Of the body; 256 KiB where left out. */
  maxBytes?: number;
  /** From the question for the address to the last byte; 5000 where left out. */
  timeoutMs?: number;
}

export interface Outgoing {
  /**
   * The JSON document behind a URL. Throws AppError `outgoing.*`; its detail (host and reason, for the log) never
   * holds anything of the body.
   */
  json(url: string, options?: Limits): Promise<unknown>;
  /** What is wrong with a URL before anything is asked of it: the code `outgoing.url`, or undefined. */
  problem(url: string): string | undefined;
  /**
   * The same guard in the form of fetch, for libraries that bring their own reading: any status, GET or POST with a
   * text body, never a redirect. Rejects with AppError `outgoing.*`.
   */
  fetch(url: string | URL | Request, options?: FetchOptions, limits?: Limits): Promise<Response>;
}

/** What is taken of fetch's own options; anything else is left out of account. */
export interface FetchOptions {
  method?: string | undefined;
  headers?: RequestInit['headers'] | undefined;
  body?: unknown;
  signal?: AbortSignal | null | undefined;
}

const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 5_000;
const MAX_URL = 2_048;
/** One host that answers slowly holds no more than its part of the whole. */
const MOST_TO_ONE_HOST = 8;
const MOST = 64;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:\s*;|$)/i;

/**
 * Requests to addresses that came from metadata (keys, discovery, logout) and may be anybody's: https, to hosts whose
 * every address is public, exceptions by `allow` (see allow-list.ts; those may be http too). The connection goes to
 * the very addresses that were checked, so that a name can't change its meaning in between.
 */
export function createOutgoing(options: {
  allow: string[];
  /** How names become addresses; the system's way where left out. */
  lookup?: (host: string) => Promise<Resolved[]>;
  /** Requests under way at once, in all and to one host. */
  most?: number;
  mostToOneHost?: number;
}): Outgoing {
  const allow = createAllowList(options.allow);
  const lookup = options.lookup ?? ((host: string) => systemLookup(host, { all: true }));
  const most = options.most ?? MOST;
  const mostToOneHost = options.mostToOneHost ?? MOST_TO_ONE_HOST;
  const underWay = new Map<string, number>();
  let total = 0;

  function readUrl(text: string): URL {
    const url = text.length > MAX_URL ? null : URL.parse(text);
    const fail = (reason: string) => new AppError('outgoing.url', { detail: { reason, host: url?.host } });
    if (!url) throw fail('not a URL');
    if (url.username !== '' || url.password !== '') throw fail('user or password in the URL');
    if (url.protocol === 'https:') return url;
    if (url.protocol !== 'http:') throw fail('not https');
    if (!allow.host(hostOf(url), portOf(url))) throw fail('http to a host that is not on the allow list');
    return url;
  }

  async function addressesOf(url: URL): Promise<Resolved[]> {
    const host = hostOf(url);
    const port = portOf(url);
    const literal = isIP(host);
    const found = literal === 0 ? await lookup(host) : [{ address: host, family: literal }];
    if (found.length === 0) throw new AppError('outgoing.unreachable', { status: 502, detail: { host: url.host } });
    if (allow.host(host, port)) return found;
    const wrong = found.find(({ address }) => !isPublicAddress(address) && !allow.address(address, port));
    if (wrong) {
      throw new AppError('outgoing.address', {
        detail: { host: url.host, address: wrong.address, reason: 'not public and not on the allow list' },
      });
    }
    return found;
  }

  async function send(text: string, init: FetchOptions, limits: Limits): Promise<Reply & { url: URL }> {
    const url = readUrl(text);
    const there = underWay.get(url.host) ?? 0;
    if (total >= most || there >= mostToOneHost) {
      throw new AppError('outgoing.busy', { status: 503, detail: { host: url.host }, retryAfter: 2 });
    }
    total += 1;
    underWay.set(url.host, there + 1);
    const timeout = AbortSignal.timeout(limits.timeoutMs ?? TIMEOUT_MS);
    const signal = init.signal ? AbortSignal.any([timeout, init.signal]) : timeout;
    try {
      const addresses = await unlessAborted(addressesOf(url), signal);
      const reply = await ask({
        request: url.protocol === 'https:' ? requestHttps : requestHttp,
        url,
        addresses,
        method: init.method ?? 'GET',
        headers: new Headers(init.headers),
        body: typeof init.body === 'string' ? init.body : (init.body?.toString() ?? ''),
        maxBytes: limits.maxBytes ?? MAX_BYTES,
        signal,
      });
      return { ...reply, url };
    } catch (error) {
      if (error instanceof AppError) throw error;
      const detail = { host: url.host, reason: (error as NodeJS.ErrnoException).code ?? (error as Error).message };
      if (signal.aborted) throw new AppError('outgoing.timeout', { status: 504, detail });
      throw new AppError('outgoing.unreachable', { status: 502, detail });
    } finally {
      total -= 1;
      const left = (underWay.get(url.host) ?? 1) - 1;
      if (left === 0) underWay.delete(url.host);
      else underWay.set(url.host, left);
    }
  }

  return {
    problem(text) {
      try {
        readUrl(text);
        return undefined;
      } catch (error) {
        return (error as AppError).code;
      }
    },

    async json(text, limits = {}) {
      const headers = { accept: 'application/json, application/jwk-set+json' };
      const { url, status, type, body } = await send(text, { headers }, limits);
      const fail = (reason: string) =>
        new AppError('outgoing.answer', { status: 502, detail: { host: url.host, reason } });
      if (status !== 200) throw fail(`status ${status}`);
      if (!JSON_TYPE.test(type)) throw fail('not JSON by its Content-Type');
      try {
        return JSON.parse(body.toString('utf8'));
      } catch {
        throw fail('not JSON');
      }
    },

    async fetch(url, init = {}, limits = {}) {
      const { status, headers, body } = await send(url instanceof Request ? url.url : String(url), init, limits);
      const empty = status === 204 || status === 205 || status === 304;
      return new Response(empty ? null : body, { status, headers });
    },
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}

/** A name server that does not answer holds nobody longer than the time that was given. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
