import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Bytes. */
const MAX_HEADERS = 16 * 1024;

/** An HTTP server, not listening yet, with limits on the size and the time of what comes in. */
export function createHttpServer(handler: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      // Longer than a proxy keeps its side open, so that it never meets a connection that is just being closed.
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: 2_000,
    },
    (req, res) => {
      if (namesSeveralHosts(req)) refuseHosts(res);
      else handler(req, res);
    },
  );
  server.maxHeadersCount = 100;
  server.on('clientError', answerBroken);
  return server;
}

/** RFC 9112 section 3.2: with two of them, a proxy and we might each believe another one. */
function namesSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

function refuseHosts(res: ServerResponse): void {
  res.writeHead(400, { Connection: 'close', 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  res.end();
}

const BROKEN: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is no HTTP request never reaches Koa: it is answered here in a few bytes. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = BROKEN[error.code ?? ''] ?? '400 Bad Request';
  const headers =
    'Connection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff';
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n`, () => socket.destroy());
}
