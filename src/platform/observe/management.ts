import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface Management {
  port: number;
  close(): Promise<void>;
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

/**
 * Metrics and health on a port of their own, which is not for the public. Rejects with the listen error (EADDRINUSE)
 * when the port is taken.
 */
export async function startManagement(options: {
  port: number;
  host: string;
  metrics: Metrics;
  health: Health;
  log: Log;
}): Promise<Management> {
  const { port, host, metrics, health, log } = options;

  async function handle(path: string, response: ServerResponse): Promise<void> {
    if (path === '/metrics') {
      const { type, text } = await metrics.render();
      return answer(response, 200, type, text);
    }
    if (path === '/healthz') return answer(response, 200, 'application/json', '{"status":"ok"}');
    if (path === '/readyz') {
      const { ready, failing } = await health.ready();
      const body = JSON.stringify({ status: ready ? 'ready' : 'not ready', failing });
      return answer(response, ready ? 200 : 503, 'application/json', body);
    }
    return answer(response, 404, 'text/plain', 'not found');
  }

  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, 'text/plain', 'method not allowed');
    }
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    handle(path, response).catch((error: unknown) => {
      log.error({ err: error, path }, 'the management port could not answer');
      if (!response.headersSent) answer(response, 500, 'text/plain', 'internal error');
    });
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', (error) => log.error({ err: error }, 'the management port failed'));

  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
