import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sendRaw, startTestWeb, type TestWeb } from '../../../test/support/web.ts';
import { AppError, unavailable } from '../../kernel/errors.ts';
import type { Ctx } from './context.ts';
import { route } from './route.ts';

function say(text: string): (ctx: Ctx) => void {
  return (ctx) => {
    ctx.body = text;
  };
}

let web: TestWeb;
let seenByFallthrough: string[] = [];

beforeAll(async () => {
  web = await startTestWeb({
    routes: [
      route({ method: 'GET', path: '/page' }, say('a page')),
      route({ method: 'GET', path: '/things/new' }, say('new')),
      route({ method: 'GET', path: '/things/:id' }, say('one')),
      route({ method: 'POST', path: '/things/:id', csrf: false }, say('changed')),
      route({ method: 'GET', path: '/defect' }, () => {
        throw new Error('secret detail of a defect');
      }),
      route({ method: 'GET', path: '/down' }, () => {
        throw unavailable('database.unavailable', new Error('connect ECONNREFUSED 10.0.0.7:5432'));
      }),
      route({ method: 'GET', path: '/markup' }, () => {
        throw new AppError('duplicate_parameter', { params: { name: '<script>alert(1)</script>' } });
      }),
      route({ method: 'GET', path: '/whoami' }, (ctx) => {
        ctx.body = {
          ip: ctx.ip,
          address: ctx.state.request.address,
          origin: `${ctx.protocol}://${ctx.host}`,
          id: ctx.state.request.id,
        };
      }),
    ],
    fallthrough: async (ctx) => {
      seenByFallthrough.push(`${ctx.method} ${ctx.path}`);
      if (ctx.path === '/oauth2/jwks') ctx.body = { keys: [] };
      if (ctx.path === '/oauth2/token') {
        ctx.set('Cache-Control', 'no-store');
        ctx.set('WWW-Authenticate', 'Basic realm="x"');
        ctx.status = 401;
        const chunks: Buffer[] = [];
        for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
        ctx.body = { raw: Buffer.concat(chunks).toString() };
      }
    },
  });
});

afterAll(() => web.close());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${web.origin}${path}`, { headers, redirect: 'manual' });
}

describe('host', () => {
  test('another Host gets a 421 page that names the setting and its value, before anything else answers', async () => {
    seenByFallthrough = [];
    for (const path of [
      '/',
      '/page',
      '/.well-known/openid-configuration',
      '/oauth2/jwks',
      '/assets/app.css',
      '/nothing',
    ]) {
      const answer = await sendRaw(
        web.port,
        `GET ${path} HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 421 /);
      expect(answer).toContain('POSTERN_ISSUER=https://id.example.com');
      expect(answer).toContain(web.origin);
    }
    expect(seenByFallthrough).toEqual([]);
  });

  test('on the loopback the value keeps http, and a port stays', async () => {
    const answer = await sendRaw(
      web.port,
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${web.port}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(answer).toContain(`POSTERN_ISSUER=http://127.0.0.1:${web.port}`);
  });

  test('a client that asks for JSON gets the same as problem+json', async () => {
    const answer = await sendRaw(
      web.port,
      'GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: application/json\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain('POSTERN_ISSUER=https://evil.example');
  });

  test.each([
    ['markup', '<script>alert(1)</script>'],
    ['user info', 'localhost@evil.example'],
    ['a path', 'localhost/evil'],
    ['a list', 'localhost, evil.example'],
    ['nothing', ''],
    ['a bad port', 'localhost:99999'],
  ])('S92 a Host that is %s is answered with 421 and never echoed raw', async (_, host) => {
    const answer = await sendRaw(web.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    expect(answer).not.toContain('<script>alert');
    expect(answer).not.toContain('POSTERN_ISSUER=http');
  });

  test('a forwarded host from no configured proxy does not count', async () => {
    const forged = await get('/whoami', { 'x-forwarded-host': 'evil.example', 'x-forwarded-for': '9.9.9.9' });
    expect(await forged.json()).toMatchObject({ origin: web.origin, ip: '127.0.0.1', address: '127.0.0.1' });
  });

  test('health is served for any host', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const answer = await sendRaw(web.port, `GET ${path} HTTP/1.1\r\nHost: 10.0.0.4\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    }
  });
});

describe('headers', () => {
  test('S87 every answer carries the policies, with a fresh nonce and nothing inline', async () => {
    const nonces = new Set<string>();
    for (const path of ['/page', '/nothing', '/defect', '/oauth2/token', '/healthz']) {
      const { headers } = await get(path);
      const csp = headers.get('content-security-policy') ?? '';
      expect(csp).toContain("default-src 'none'");
      expect(csp).toContain("style-src 'self'");
      expect(csp).toContain("frame-ancestors 'none'");
      expect(csp).toContain("base-uri 'none'");
      expect(csp).not.toMatch(/unsafe|form-action/);
      nonces.add(/'nonce-([\w-]{16,})'/.exec(csp)?.[1] ?? '');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('permissions-policy')).toContain('camera=()');
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    }
    expect(nonces.size).toBe(5);
    expect(nonces.has('')).toBe(false);
  });

  test('S87 no page has an inline script, an inline style or a handler', async () => {
    const html = await (await get('/nothing')).text();
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/i);
  });

  test('S87 HSTS when the issuer is https', async () => {
    const secure = await startTestWeb({
      issuer: 'https://id.example.com',
      routes: [route({ method: 'GET', path: '/page' }, say('a page'))],
    });
    const answer = await sendRaw(
      secure.port,
      'GET /page HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n',
    );
    await secure.close();
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/strict-transport-security: max-age=\d{8}/i);
  });

  test('S88 pages are no-store, public documents may be kept', async () => {
    for (const path of ['/page', '/nothing', '/defect']) {
      expect((await get(path)).headers.get('cache-control')).toBe('no-store');
    }
    expect((await get('/oauth2/jwks')).headers.get('cache-control')).toBeNull();
  });

  test("S35 the provider's own headers and body pass untouched", async () => {
    const body = 'grant_type=client_credentials&scope=a%20b&scope=c';
    const response = await fetch(`${web.origin}/oauth2/token`, { method: 'POST', body });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="x"');
    expect(await response.json()).toEqual({ raw: body });
  });
});

describe('methods and paths', () => {
  test('S98 a method that a path does not have is 405 with Allow', async () => {
    const response = await fetch(`${web.origin}/things/7`, { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST');
    expect((await fetch(`${web.origin}/page`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${web.origin}/page`, { method: 'OPTIONS' })).status).toBe(405);
    expect((await fetch(`${web.origin}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  test.each(['TRACE', 'PROPFIND', 'LINK'])('S98 %s is refused everywhere', async (method) => {
    for (const path of ['/page', '/oauth2/token', '/nothing']) {
      const request = `${method} ${path} HTTP/1.1\r\nHost: localhost:${web.port}\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(web.port, request)).toMatch(/^HTTP\/1\.1 405 /);
    }
  });

  test('HEAD answers like GET without a body', async () => {
    const response = await fetch(`${web.origin}/page`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('6');
    expect(await response.text()).toBe('');
  });

  test('a path without placeholders wins', async () => {
    expect(await (await get('/things/new')).text()).toBe('new');
    expect(await (await get('/things/8')).text()).toBe('one');
  });

  test.each(['/Page', '/page/', '//page', '/page%2f'])('%s is not /page', async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  test.each([
    '/%',
    '/page%zz',
    '/things/%E0%A4%A',
    '/things/%00',
    '/%ff%fe',
    'page',
    'http://[/',
    'http://localhost/page',
    '*',
    '/a\u00a0b#c',
    `/${'a'.repeat(9000)}`,
    '/page?%',
    '/things/..%2f..%2fetc',
    '/assets/..%2f..%2fpackage.json',
    '/assets/../package.json',
    '/assets/__proto__',
    '/oauth2/%zz',
  ])('S92 the target %s never gives 500', async (target) => {
    const request = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: localhost:${web.port}\r\nConnection: close\r\n\r\n`);
    const answer = await sendRaw(web.port, request);
    expect(answer).toMatch(/^HTTP\/1\.1 (?:200|400|404|421) /);
    expect(answer).not.toMatch(/\n\s+at /);
  });

  test.each([
    ['cookies', 'Cookie: postern-csrf=%E0%A4%A; postern-notice=..; =;;;a'],
    ['a language', 'Accept-Language: ;;q=x,\u00ff*'],
    ['accepted types', 'Accept: ;;;/,/;q=zz'],
    ['encodings', 'Accept-Encoding: gzip;q=,;;'],
    ['forwarded headers', 'X-Forwarded-For: ,,,\r\nX-Forwarded-Proto: javascript'],
    ['a condition', 'If-None-Match: """,W/\r\nIf-Modified-Since: yesterday'],
  ])('S92 malformed %s never give 500', async (_, header) => {
    for (const path of ['/page', '/nothing', '/assets/app.css']) {
      const request = `GET ${path} HTTP/1.1\r\nHost: localhost:${web.port}\r\n${header}\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(web.port, Buffer.from(request, 'latin1'))).toMatch(/^HTTP\/1\.1 (?:200|304|400|404) /);
    }
  });

  test('S92 a request that names its host twice is refused, even where both are the same', async () => {
    const answer = await sendRaw(
      web.port,
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('S92 what is no HTTP gets 400, and headers beyond 16 KiB 431', async () => {
    expect(await sendRaw(web.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    const long = `GET /page HTTP/1.1\r\nHost: localhost:${web.port}\r\nX: ${'a'.repeat(17_000)}\r\n\r\n`;
    expect(await sendRaw(web.port, long)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('errors', () => {
  test('a defect is a page with the request id and nothing of its cause, which is logged', async () => {
    const response = await get('/defect');
    const html = await response.text();
    const id = response.headers.get('x-request-id') ?? '';
    expect(response.status).toBe(500);
    expect(html).toContain(id);
    expect(html).not.toMatch(/secret detail|server\.test|node_modules/);
    const line = web.lines.find((entry) => entry.request === id && entry.error === 'internal');
    expect(JSON.stringify(line)).toContain('secret detail of a defect');
  });

  test('S93 a failed dependency is 503 with Retry-After and no detail', async () => {
    const response = await get('/down');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.text()).not.toContain('10.0.0.7');
  });

  test('values in messages are escaped', async () => {
    const html = await (await get('/markup')).text();
    expect(html).toContain('&lt;script&gt;alert(1)');
    expect(html).not.toContain('<script>alert');
  });

  test('problem+json for a client that wants JSON, and under /admin/api', async () => {
    const response = await get('/down', { accept: 'application/json' });
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 503, code: 'database.unavailable' });
    const api = await get('/admin/api/v1/nothing');
    expect(api.headers.get('content-type')).toContain('application/problem+json');
    expect(await api.json()).toMatchObject({ type: 'urn:postern:error:not_found', status: 404 });
  });
});

describe('log', () => {
  test('S91 lines and labels hold no query string and no id from a path', async () => {
    const response = await get('/things/secret-id-in-path?code=secret-in-query');
    await get('/nothing?token=secret-in-query');
    const id = response.headers.get('x-request-id');
    expect(web.lines.find((entry) => entry.request === id)).toMatchObject({ path: '/things/:id', status: 200 });
    expect(JSON.stringify(web.lines)).not.toMatch(/secret-in-query|secret-id-in-path/);
    expect(web.measured).toContainEqual({ method: 'GET', route: '/things/:id', status: '200' });
    expect(web.measured).toContainEqual({ method: 'GET', route: 'none', status: '404' });
  });
});
