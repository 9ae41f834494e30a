import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createJar, sendRaw, startTestWeb, type TestWeb } from '../../../test/support/web.ts';
import { AppError } from '../../kernel/errors.ts';
import { createAssets } from './assets.ts';
import type { Ctx } from './context.ts';
import { flash } from './flash.ts';
import { Redirect, seeOther } from './redirect.ts';
import { type Invalid, route } from './route.ts';
import { createViews } from './views.ts';

const views = createViews({ dir: 'views', assets: createAssets('views/assets') });

const Person = z.strictObject({
  email: z.email('invalid_email').max(254),
  name: z.string().trim().min(2),
  roles: z.array(z.string()).default([]),
  password: z.string().optional(),
});

function showForm(ctx: Ctx, { values, errors }: Invalid = { values: {}, errors: {} }): void {
  const name = typeof values.name === 'string' ? values.name.slice(0, 100) : values.name;
  ctx.set('x-fields', JSON.stringify({ values: { ...values, name }, errors, flashes: ctx.state.flash.take() }));
  ctx.body = ctx.state.csrfToken;
}

let web: TestWeb;
let saved: unknown[] = [];
let jar = createJar();
let token = '';

beforeAll(async () => {
  web = await startTestWeb({
    routes: [
      route({ method: 'GET', path: '/form' }, (ctx) => showForm(ctx)),
      route({ method: 'POST', path: '/form', body: Person, invalid: showForm }, (ctx, { body }) => {
        if (body.name === 'taken')
          throw new AppError('conflict', { status: 409, fields: { name: { code: 'invalid' } } });
        saved.push(body);
        flash(ctx, 'success', 'copy.done', { name: body.name });
        seeOther(ctx, '/form');
      }),
      route({ method: 'POST', path: '/plain' }, (ctx) => {
        saved.push('plain');
        ctx.status = 204;
      }),
      route(
        {
          method: 'POST',
          path: '/api',
          csrf: false,
          body: z.strictObject({ email: z.string(), deep: z.unknown().optional() }),
        },
        (ctx, { body }) => {
          ctx.body = body;
        },
      ),
      route(
        { method: 'GET', path: '/search', query: z.strictObject({ q: z.string().optional() }) },
        (ctx, { query }) => {
          ctx.body = query;
        },
      ),
      route({ method: 'GET', path: '/users/:id', params: z.strictObject({ id: z.uuid() }) }, (ctx) => {
        ctx.body = 'user';
      }),
      route(
        {
          method: 'GET',
          path: '/guarded',
          guards: [
            () => {
              throw new Redirect('/form');
            },
          ],
        },
        () => undefined,
      ),
      route({ method: 'GET', path: '/fields' }, (ctx) =>
        views.render(ctx, 'error', { title: 'x', status: 1, message: '', advice: '' }),
      ),
    ],
  });
});
afterAll(() => web.close());

beforeEach(async () => {
  saved = [];
  jar = createJar();
  const page = await fetch(`${web.origin}/form`);
  jar.take(page);
  token = await page.text();
});

interface Sent {
  path?: string;
  fields?: string;
  csrf?: string;
  cookie?: string;
  headers?: Record<string, string>;
}

const GOOD = 'email=a%40example.com&name=Ann';

async function post({ path = '/form', fields = GOOD, csrf = token, cookie = jar.header(), headers = {} }: Sent = {}) {
  const response = await fetch(`${web.origin}${path}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie, ...headers },
    body: csrf === '' ? fields : `${fields}&_csrf=${csrf}`,
  });
  const header = response.headers.get('x-fields');
  return { status: response.status, response, shown: header === null ? undefined : JSON.parse(header) };
}

describe('form token', () => {
  test('a form of ours is accepted, and answered with 303', async () => {
    const { status, response } = await post({ headers: { origin: web.origin, 'sec-fetch-site': 'same-origin' } });
    expect([status, response.headers.get('location')]).toEqual([303, '/form']);
    expect(saved).toEqual([{ email: 'a@example.com', name: 'Ann', roles: [] }]);
  });

  test('as browsers send it under Referrer-Policy no-referrer: Origin null, same-origin', async () => {
    expect((await post({ headers: { origin: 'null', 'sec-fetch-site': 'same-origin' } })).status).toBe(303);
  });

  test.each<[string, Sent]>([
    ['no token', { csrf: '' }],
    ['a made-up token', { csrf: 'x'.repeat(43) }],
    ['two tokens', { fields: `${GOOD}&_csrf=x` }],
    ['no cookie', { cookie: '' }],
    ['a made-up cookie', { cookie: 'postern-csrf=abc.def' }],
    ['a cross-site request', { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['a request from a sibling host', { headers: { 'sec-fetch-site': 'same-site' } }],
    ['another origin', { headers: { origin: 'https://evil.example' } }],
    [
      'another origin that claims to be same-origin',
      { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' } },
    ],
    ['an opaque origin from elsewhere', { headers: { origin: 'null', 'sec-fetch-site': 'cross-site' } }],
  ])('with %s nothing happens', async (name, sent) => {
    const { status } = await post(sent);
    expect(status).toBe(name === 'two tokens' ? 400 : 403);
    expect(saved).toEqual([]);
  });

  test("another browser's token does not fit", async () => {
    const other = await (await fetch(`${web.origin}/form`)).text();
    expect(other).not.toBe(token);
    expect((await post({ csrf: other })).status).toBe(403);
  });

  test('a post without any body needs one too', async () => {
    const response = await fetch(`${web.origin}/plain`, { method: 'POST', headers: { cookie: jar.header() } });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('was sent from another site');
  });

  test('S75 the cookie is HttpOnly and SameSite, and over https __Host- and Secure', async () => {
    const plain = (await fetch(`${web.origin}/form`)).headers.getSetCookie()[0] ?? '';
    expect(plain).toMatch(/^postern-csrf=[\w.-]+; path=\/; samesite=lax; httponly$/i);
    const secure = await startTestWeb({
      issuer: 'https://id.example.com',
      routes: [route({ method: 'GET', path: '/form' }, (ctx) => showForm(ctx))],
    });
    const answer = await sendRaw(
      secure.port,
      'GET /form HTTP/1.1\r\nHost: id.example.com\r\nConnection: close\r\n\r\n',
    );
    await secure.close();
    expect(answer).toMatch(/set-cookie: __Host-postern-csrf=[\w.-]+; path=\/; samesite=lax; secure; httponly/i);
    expect(answer).not.toMatch(/domain=/i);
  });
});

describe('input', () => {
  test('invalid fields show the form again, with what was typed but no secret', async () => {
    const { status, shown } = await post({ fields: 'email=nonsense&name=A&password=hunter22' });
    expect(status).toBe(422);
    expect(shown.errors).toEqual({ email: { code: 'invalid_email' }, name: { code: 'too_short', params: { min: 2 } } });
    expect(shown.values).toEqual({ email: 'nonsense', name: 'A' });
  });

  test('a refusal by the handler shows beside its field', async () => {
    const { status, shown } = await post({ fields: 'email=a%40example.com&name=taken' });
    expect([status, shown.errors]).toEqual([409, { name: { code: 'invalid' } }]);
  });

  test('a missing field is required', async () => {
    expect((await post({ fields: 'email=a%40example.com' })).shown.errors).toEqual({ name: { code: 'required' } });
  });

  test('names with [] make a list', async () => {
    await post({ fields: `${GOOD}&roles[]=admin&roles%5B%5D=auditor` });
    expect(saved).toEqual([{ email: 'a@example.com', name: 'Ann', roles: ['admin', 'auditor'] }]);
  });

  test('S84 an unknown field is refused, also where no field is expected', async () => {
    expect((await post({ fields: `${GOOD}&admin=true` })).status).toBe(400);
    expect((await post({ fields: `${GOOD}&__proto__=x` })).status).toBe(400);
    expect((await post({ path: '/plain', fields: 'x=1' })).status).toBe(400);
    expect(saved).toEqual([]);
  });

  test('S84 an object where text belongs is refused', async () => {
    const json = (body: string) =>
      fetch(`${web.origin}/api`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body,
      });
    expect((await json('{"email":"a"}')).status).toBe(200);
    expect((await json('{"email":{"not":""}}')).status).toBe(422);
    expect((await json('{"email":"a","admin":true}')).status).toBe(400);
  });

  test.each([
    ['a repeated field', 'email=a&email=b&name=Ann'],
    ['a field as text and as list', 'email=a&email[]=b'],
    ['broken percent-encoding', 'email=%zz&name=Ann'],
    ['bytes that are no UTF-8', 'email=%ff%fe&name=Ann'],
    ['a NUL', 'email=a%00%40example.com&name=Ann'],
    ['a thousand fields', Array.from({ length: 1000 }, (_, i) => `f${i}=1`).join('&')],
  ])('S92 %s is 400', async (_, fields) => {
    expect((await post({ fields })).status).toBe(400);
    expect(saved).toEqual([]);
  });

  test.each([
    ['no JSON', '{"email":', 400],
    ['a list', '[]', 400],
    ['null', 'null', 400],
    ['a NUL in a value', '{"email":"a\\u0000"}', 400],
    ['a NUL in a name', '{"email":"a","deep":{"\\u0000":1}}', 400],
    ['ten levels', `{"email":"a","deep":${'['.repeat(9)}${']'.repeat(9)}}`, 200],
    ['eleven levels', `{"email":"a","deep":${'['.repeat(10)}${']'.repeat(10)}}`, 400],
    ['brackets inside text', `{"email":"${'['.repeat(50)}"}`, 200],
  ])('S92 JSON: %s', async (_, body, status) => {
    const response = await fetch(`${web.origin}/api`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(status);
  });

  test('a query is checked like a form', async () => {
    expect((await fetch(`${web.origin}/search?q=a+b`)).status).toBe(200);
    for (const query of ['q=a&q=b', 'x=1', 'q=%zz', 'q=%00']) {
      expect((await fetch(`${web.origin}/search?${query}`)).status).toBe(400);
    }
  });

  test('S83 an id that can not exist is not found', async () => {
    expect((await fetch(`${web.origin}/users/1%27%20or%201=1`)).status).toBe(404);
    expect((await fetch(`${web.origin}/users/0197b2f0-0000-7000-8000-000000000000`)).status).toBe(200);
  });

  test('other content types are 415', async () => {
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json', 'nonsense', '/']) {
      expect((await post({ headers: { 'content-type': type } })).status).toBe(415);
    }
    expect((await post({ headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });
});

describe('size', () => {
  const field = (kib: number): string => `name=${'a'.repeat(kib * 1024)}`;

  test('S92 a body beyond 56 KiB is 413, by its declared length', async () => {
    expect((await post({ fields: field(55) })).status).toBe(422);
    const head = `POST /form HTTP/1.1\r\nHost: localhost:${web.port}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
    const answer = await sendRaw(web.port, `${head}Content-Length: 57345\r\n\r\na`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('S92 and without a declared length', async () => {
    const head = `POST /form HTTP/1.1\r\nHost: localhost:${web.port}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
    const chunk = `4000\r\n${'a'.repeat(0x4000)}\r\n`;
    const answer = await sendRaw(web.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('notices', () => {
  test('show once on the next page and can not be forged', async () => {
    const { response } = await post();
    jar.take(response);
    const next = await fetch(`${web.origin}/form`, { headers: { cookie: jar.header() } });
    const shown = JSON.parse(next.headers.get('x-fields') ?? '{}');
    expect(shown.flashes).toEqual([{ kind: 'success', key: 'copy.done', params: { name: 'Ann' } }]);
    jar.take(next);
    const after = await fetch(`${web.origin}/form`, { headers: { cookie: jar.header() } });
    expect(JSON.parse(after.headers.get('x-fields') ?? '{}').flashes).toEqual([]);
    const forged = Buffer.from('{"at":9999999999999,"flashes":[{"kind":"error","key":"x"}]}').toString('base64url');
    const answer = await fetch(`${web.origin}/form`, {
      headers: { cookie: `postern-notice=${forged}.${'x'.repeat(43)}` },
    });
    expect(JSON.parse(answer.headers.get('x-fields') ?? '{}').flashes).toEqual([]);
  });

  test('a page without a form sets no cookie', async () => {
    expect((await fetch(`${web.origin}/fields`)).headers.getSetCookie()).toEqual([]);
  });
});

test('a guard may send the browser elsewhere', async () => {
  const response = await fetch(`${web.origin}/guarded`, { redirect: 'manual' });
  expect([response.status, response.headers.get('location')]).toEqual([303, '/form']);
});
