import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createRawServer } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { AppError } from '../../kernel/errors.ts';
import { createOutgoing, type Outgoing } from './outgoing.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener, host = '127.0.0.1'): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function problem(work: Promise<unknown>): Promise<AppError> {
  return work.then(
    () => expect(undefined).toBe('an error'),
    (error) => error,
  ) as unknown as AppError;
}

const json: RequestListener = (_req, res) => {
  res.setHeader('content-type', 'application/jwk-set+json').end('{"keys":[]}');
};

function counting(answer: RequestListener): { listener: RequestListener; asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    listener(req, res) {
      asked += 1;
      answer(req, res);
    },
  };
}

const local = (options: Partial<Parameters<typeof createOutgoing>[0]> = {}): Outgoing =>
  createOutgoing({ allow: ['127.0.0.1'], ...options });

test('a JSON document of a host on the allow list', async () => {
  const port = await serve(json);
  expect(await local().json(`http://127.0.0.1:${port}/jwks`)).toEqual({ keys: [] });
  const named = createOutgoing({
    allow: [`keys.example:${port}`],
    lookup: async () => [{ address: '127.0.0.1', family: 4 }],
  });
  expect(await named.json(`http://keys.example:${port}/jwks`)).toEqual({ keys: [] });
  expect(await named.json(`http://keys.example.:${port}/jwks`)).toEqual({ keys: [] });
});

test.each([
  'http://keys.example/jwks',
  'ftp://keys.example/jwks',
  'file:///etc/passwd',
  'data:application/json,{}',
  'https://user:password@keys.example/',
  'keys.example',
  '',
  `https://keys.example/${'a'.repeat(3000)}`,
])('SSRF: %s is refused before any name is resolved', async (url) => {
  let asked = 0;
  const lookup = async () => {
    asked += 1;
    return [{ address: '1.1.1.1', family: 4 }];
  };
  expect((await problem(createOutgoing({ allow: [], lookup }).json(url))).code).toBe('outgoing.url');
  expect(asked).toBe(0);
});

test('SSRF: no other scheme, to a host on the allow list either', async () => {
  const served = counting(json);
  const port = await serve(served.listener);
  for (const scheme of ['ftp', 'ws', 'gopher']) {
    expect((await problem(local().json(`${scheme}://127.0.0.1:${port}/`))).code).toBe('outgoing.url');
  }
  expect(served.asked()).toBe(0);
});

test.each(['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '169.254.169.254'])(
  'SSRF: https://%s is refused, being no public address',
  async (host) => {
    const served = counting(json);
    const port = await serve(served.listener);
    expect((await problem(createOutgoing({ allow: [] }).json(`https://${host}:${port}/`))).code).toBe(
      'outgoing.address',
    );
    expect(served.asked()).toBe(0);
  },
);

test('SSRF: one private address among public ones is enough to refuse a name', async () => {
  const lookup = async () => [
    { address: '1.1.1.1', family: 4 },
    { address: '10.0.0.7', family: 4 },
  ];
  const error = await problem(createOutgoing({ allow: [], lookup }).json('https://keys.example/'));
  expect(error).toMatchObject({ code: 'outgoing.address', detail: { host: 'keys.example', address: '10.0.0.7' } });
});

test('SSRF: a name that means another address the second time is connected to where it was checked', async () => {
  const inside = counting(json);
  const port = await serve(inside.listener, '127.0.0.2');
  let asked = 0;
  // What was checked is a port where nobody listens; a second resolution would lead to the server inside.
  const lookup = async () => {
    asked += 1;
    return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
  };
  const outgoing = createOutgoing({ allow: [`keys.example:${port}`], lookup });
  const error = await problem(outgoing.json(`http://keys.example:${port}/`));
  expect(error).toMatchObject({ code: 'outgoing.unreachable', detail: { reason: 'ECONNREFUSED' } });
  expect({ asked, inside: inside.asked() }).toEqual({ asked: 1, inside: 0 });
});

test('SSRF: redirects are not followed', async () => {
  const target = counting(json);
  const there = await serve(target.listener);
  const port = await serve((_req, res) => {
    res.writeHead(302, { location: `http://127.0.0.1:${there}/` }).end();
  });
  const error = await problem(local().json(`http://127.0.0.1:${port}/`));
  expect(error).toMatchObject({ code: 'outgoing.answer', detail: { reason: 'status 302' } });
  expect((await local().fetch(`http://127.0.0.1:${port}/`)).status).toBe(302);
  expect(target.asked()).toBe(0);
});

test('SSRF: a proxy of the environment is not used', async () => {
  const proxy = counting(json);
  const port = await serve(proxy.listener);
  const direct = await serve(json);
  const before = { ...process.env };
  Object.assign(process.env, { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: '' });
  try {
    expect(await local().json(`http://127.0.0.1:${direct}/`)).toEqual({ keys: [] });
  } finally {
    process.env = before;
  }
  expect(proxy.asked()).toBe(0);
});

test.each([
  ['another status', { status: 203 }],
  ['another type', { type: 'text/html' }],
  ['no type', { type: undefined }],
  ['what is no JSON', { body: 'secret-body{' }],
  ['a compressed body', { encoding: 'gzip' }],
  ['a body that says that it is too long', { body: `"${'secret-body'.repeat(100)}"` }],
] as [string, { status?: number; type?: string | undefined; body?: string; encoding?: string }][])(
  'refuses %s, and the error holds nothing of the body',
  async (_name, { status = 200, body = '"secret-body"', encoding, ...rest }) => {
    const type = 'type' in rest ? rest.type : 'application/json';
    const port = await serve((_req, res) => {
      if (type) res.setHeader('content-type', type);
      if (encoding) res.setHeader('content-encoding', encoding);
      res.writeHead(status).end(body);
    });
    const error = await problem(local().json(`http://127.0.0.1:${port}/`, { maxBytes: 1000 }));
    expect(error.code).toBe('outgoing.answer');
    expect(JSON.stringify([error.detail, error.message, error.stack, error.cause])).not.toContain('secret-body');
  },
);

test('stops reading a body without end at the size cap', async () => {
  let written = 0;
  const port = await serve((_req, res) => {
    res.setHeader('content-type', 'application/json');
    const timer = setInterval(() => {
      written += 16_384;
      res.write('x'.repeat(16_384));
    }, 1);
    res.on('close', () => clearInterval(timer));
  });
  const error = await problem(local().json(`http://127.0.0.1:${port}/`));
  expect(error).toMatchObject({ code: 'outgoing.answer', detail: { reason: 'more than 262144 bytes' } });
  expect(written).toBeLessThan(16 * 1024 * 1024);
});

test.each([
  ['never answers', () => undefined],
  [
    'sends a byte at a time',
    (_req, res) => {
      res.setHeader('content-type', 'application/json');
      const timer = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(timer));
    },
  ],
] as [string, RequestListener][])('a server that %s is left at the time cap', async (_name, listener) => {
  const port = await serve(listener);
  const began = performance.now();
  const error = await problem(local().json(`http://127.0.0.1:${port}/`, { timeoutMs: 150 }));
  expect(error).toMatchObject({ code: 'outgoing.timeout', status: 504 });
  expect(performance.now() - began).toBeLessThan(2_000);
});

test('a name server that never answers is left at the time cap', async () => {
  const outgoing = createOutgoing({ allow: [], lookup: () => new Promise(() => undefined) });
  expect((await problem(outgoing.json('https://keys.example/', { timeoutMs: 100 }))).code).toBe('outgoing.timeout');
});

test('so many at once, to one host and in all; the rest is told to come again', async () => {
  const waiting: (() => void)[] = [];
  const slow = await serve((_req, res) => void waiting.push(() => json(_req, res)));
  const quick = await serve(json);
  const outgoing = local({ most: 3, mostToOneHost: 2 });
  const held = [1, 2].map(() => outgoing.json(`http://127.0.0.1:${slow}/`));
  expect((await problem(outgoing.json(`http://127.0.0.1:${slow}/`))).code).toBe('outgoing.busy');
  // A slow host does not hold up another one.
  expect(await outgoing.json(`http://127.0.0.1:${quick}/`)).toEqual({ keys: [] });
  const last = outgoing.json(`http://127.0.0.1:${quick}/`);
  expect(await problem(outgoing.json(`http://127.0.0.1:${quick}/`))).toMatchObject({
    code: 'outgoing.busy',
    status: 503,
  });
  await last;
  while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const answer of waiting.splice(0)) answer();
  await Promise.all(held);
  const again = outgoing.json(`http://127.0.0.1:${slow}/`);
  while (waiting.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  waiting[0]?.();
  await again;
});

test('fetch posts a body, under the same guard', async () => {
  const port = await serve((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { 'content-type': type, 'x-one': one } = req.headers;
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ method: req.method, type, one, body: Buffer.concat(chunks).toString() }));
    });
  });
  const answer = await local().fetch(new URL(`http://127.0.0.1:${port}/`), {
    method: 'POST',
    headers: { 'x-one': '1', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ logout_token: 'ü' }),
  });
  expect(answer.status).toBe(400);
  const type = 'application/x-www-form-urlencoded';
  expect(await answer.json()).toEqual({ method: 'POST', type, one: '1', body: 'logout_token=%C3%BC' });
  expect((await problem(createOutgoing({ allow: [] }).fetch(`http://127.0.0.1:${port}/`))).code).toBe('outgoing.url');
});

test.each([
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
])('an answer that is none of HTTP (%j) ends the request and gives its place back', async (answer) => {
  const server = createRawServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.write(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const outgoing = local({ mostToOneHost: 1 });
  for (const ask of [() => outgoing.json(url), () => outgoing.fetch(url)]) {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, 1_000, undefined).unref());
    expect(await Promise.race([problem(ask()), late])).toMatchObject({ code: 'outgoing.answer', status: 502 });
  }
  server.close();
});
