import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Log } from '../observe/log.ts';

export interface HttpServer {
  port: number;
  /** Takes no new connection, lets running requests finish for at most `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

export interface HttpServerOptions {
  port: number;
  host: string;
  log: Log;
  /** Given the port that was got (asked for with 0), before the first request is answered. */
  app: WebApp | ((port: number) => Promise<WebApp>);
}

type WebApp = { callback(): (request: IncomingMessage, response: ServerResponse) => void };

/** Bytes. */
const MAX_HEADERS = 16 * 1024;

/** Listens with limits on size and time; rejects with the listen error (EADDRINUSE). */
export async function startHttpServer({ port, host, log, app }: HttpServerOptions): Promise<HttpServer> {
  const server = createServer({
    maxHeaderSize: MAX_HEADERS,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    // Longer than the idle time of usual balancers (60 s), so that they are the ones that close.
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 2_000,
  });
  server.maxHeadersCount = 100;
  server.on('clientError', answerBroken);
  server.on('request', answerStarting);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error({ err: error }, 'the web server failed'));
  const { port: got } = server.address() as AddressInfo;
  try {
    const made = typeof app === 'function' ? await app(got) : app;
    server.off('request', answerStarting);
    server.on('request', made.callback());
  } catch (error) {
    await closeServer(server, 0);
    throw error;
  }
  return { port: got, close: (graceMs = 10_000) => closeServer(server, graceMs) };
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function answerStarting(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(503, { 'Retry-After': '1', 'Cache-Control': 'no-store' });
  response.end();
}

const BROKEN: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is no HTTP request never becomes one of Koa's: it is answered here in a few bytes. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = BROKEN[error.code ?? ''] ?? '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n`,
    () => socket.destroy(),
  );
}
