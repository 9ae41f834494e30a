import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { createAssets } from '../../src/platform/web/assets.ts';
import { createHttpServer } from '../../src/platform/web/http-server.ts';
import { createI18n } from '../../src/platform/web/i18n.ts';
import { createWebApp, type WebAppOptions } from '../../src/platform/web/server.ts';
import { createViews } from '../../src/platform/web/views.ts';

const root = join(import.meta.dirname, '../..');

export interface TestWeb {
  port: number;
  close(): Promise<void>;
  /** `http://localhost:<port>`. */
  origin: string;
  /** What was logged, one parsed line each. */
  lines: Record<string, unknown>[];
  /** What was measured, by its labels. */
  measured: Record<string, string | number>[];
}

export interface TestWebOptions extends Partial<Omit<WebAppOptions, 'config'>> {
  issuer?: string;
  allowedHosts?: string[];
  trustedProxies?: string[];
}

/** The real web server on a free loopback port, with the project's own views and texts; a key without a text throws. */
export async function startTestWeb(options: TestWebOptions = {}): Promise<TestWeb> {
  const { issuer, allowedHosts = [], trustedProxies = [], ...rest } = options;
  const lines: Record<string, unknown>[] = [];
  const measured: Record<string, string | number>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const assets = createAssets(join(root, 'views/assets'));
  const views = createViews({ dir: join(root, 'views'), assets });
  const httpRequestDuration = { observe: (labels: Record<string, string | number>) => void measured.push(labels) };
  let handler: RequestListener = (_request, response) => response.destroy();
  const server = createHttpServer((request, response) => handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const issuerUrl = new URL(issuer ?? `http://localhost:${port}`);
  const app = createWebApp({
    config: {
      issuer: issuerUrl.origin,
      issuerUrl,
      secure: issuerUrl.protocol === 'https:',
      allowedHosts,
      trustedProxies,
    },
    clock: { now: () => new Date() },
    log,
    metrics: { httpRequestDuration } as unknown as WebAppOptions['metrics'],
    health: { ready: async () => ({ ready: true, failing: [] }), drain: () => undefined },
    views,
    assets,
    i18n: createI18n({ dir: join(root, 'locales'), strict: true }),
    csrfKey: Buffer.alloc(32, 7),
    routes: [],
    ...rest,
  });
  handler = app.callback();
  return {
    port,
    origin: `http://localhost:${port}`,
    lines,
    measured,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends bytes as they are and returns the whole answer: for requests that no HTTP client would make. */
export function sendRaw(port: number, request: string | Buffer, timeoutMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', (error) => (chunks.length > 0 ? undefined : reject(error)));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

/** A browser's cookie jar, as far as these tests need one. */
export function createJar(): { header(): string; take(response: Response): void } {
  const cookies = new Map<string, string>();
  return {
    header: () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    take(response) {
      for (const line of response.headers.getSetCookie()) {
        const [name = '', value = ''] = line.split(';', 1)[0]?.split(/=(.*)/s) ?? [];
        if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
        else cookies.set(name, value);
      }
    },
  };
}
