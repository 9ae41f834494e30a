import type { IncomingMessage, request as requestHttp } from 'node:http';
import type { LookupFunction } from 'node:net';
import { AppError } from '../../kernel/errors.ts';

export interface Resolved {
  address: string;
  /** 4 or 6. */
  family: number;
}

export interface Question {
  request: typeof requestHttp;
  url: URL;
  /** Where to connect to; the name in the URL is not resolved again. */
  addresses: Resolved[];
  method: string;
  headers: Headers;
  body: string;
  maxBytes: number;
  signal: AbortSignal;
}

export interface Reply {
  status: number;
  headers: Headers;
  /** Content-Type; empty where there is none. */
  type: string;
  body: Buffer<ArrayBuffer>;
}

const MAX_HEADER_BYTES = 16 * 1024;
/** Of one connection, or of the way there: nothing of a reply that a reader of it should go by. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'set-cookie']);

/** One request on a connection of its own, without proxy or redirect; rejects on everything but a whole answer. */
export function ask(question: Question): Promise<Reply> {
  const { request, url, addresses, method, headers, body, maxBytes, signal } = question;
  headers.set('accept-encoding', 'identity');
  headers.set('user-agent', 'Postern');
  if (body !== '') headers.set('content-length', String(Buffer.byteLength(body)));
  const options = {
    method,
    headers: Object.fromEntries(headers),
    // A fresh agent: no pooled connection that was made for another check, no proxy from the environment.
    agent: false,
    rejectUnauthorized: true,
    lookup: only(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (answer) => {
      read(answer, url.host, maxBytes).then(resolve, (error: unknown) => {
        answer.destroy();
        reject(error as Error);
      });
    });
    sent.on('error', reject);
    // Another protocol (101) was not asked for. Nothing but this event tells of it, the end of the time neither.
    sent.on('upgrade', (_answer, socket) => {
      socket.destroy();
      const detail = { host: url.host, reason: 'another protocol (status 101)' };
      reject(new AppError('outgoing.answer', { status: 502, detail }));
    });
    sent.end(body);
  });
}

async function read(answer: IncomingMessage, host: string, maxBytes: number): Promise<Reply> {
  const fail = (reason: string) => new AppError('outgoing.answer', { status: 502, detail: { host, reason } });
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw fail('a Content-Encoding that was not asked for');
  const status = answer.statusCode ?? 0;
  // RFC 9110 section 15; a Response of fetch can hold no other.
  if (status < 200 || status > 599) throw fail(`status ${status}`);
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > maxBytes) throw fail(`more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headersDistinct)) {
    if (!HOP_BY_HOP.has(name)) for (const one of value ?? []) headers.append(name, one);
  }
  const type = answer.headers['content-type'] ?? '';
  return { status, headers, type, body: Buffer.concat(chunks) };
}

function only(addresses: Resolved[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all) callback(null, addresses);
    else if (first) callback(null, first.address, first.family);
    else callback(new Error('no address'), '', 0);
  };
}
