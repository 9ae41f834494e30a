import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { browserOf, csrfOf, isSignedIn } from '../support/console.ts';
import { createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { allRoutes, type KnownRoute } from '../support/routes.ts';
import { sendRaw } from '../support/web.ts';

let postern: Postern;
let admin: Person;
let browser: Agent;
let csrf: string;
let routes: KnownRoute[];

beforeAll(async () => {
  postern = await startPostern();
  admin = await createPerson(postern, { roles: ['admin'] });
  browser = await browserOf(postern, admin, '/admin');
  csrf = csrfOf(await browser.get('/account/password'));
  routes = await allRoutes(postern);
});
afterAll(() => postern.close());

const pathOf = ({ path }: KnownRoute) => path.replace(/:\w+/g, admin.id);
/** Not of a browser's: whoever found a secret reports it, from wherever. The secret itself is what counts there. */
const ANYBODYS = new Set(['/leaked-secrets']);
/** Of people and programs: what the jobs of a process that has just begun do is nobody's request. */
const countEvents = () => postern.db.prisma.auditEvent.count({ where: { actorType: { not: 'system' } } });
const posts = () => routes.filter(({ method, path }) => method === 'POST' && !ANYBODYS.has(path));

describe('CSRF', () => {
  const forgeries: [
    string,
    (stranger: Agent) => Promise<{ fields?: Record<string, string>; headers?: Record<string, string> }>,
  ][] = [
    ['no token', async () => ({})],
    ['a made-up token', async () => ({ fields: { _csrf: 'A'.repeat(43) } })],
    [
      'the token of another browser',
      async (stranger) => ({ fields: { _csrf: csrfOf(await stranger.get('/account')) } }),
    ],
    ['a cross-site request', async () => ({ fields: { _csrf: csrf }, headers: { 'sec-fetch-site': 'cross-site' } })],
    ['a same-site request', async () => ({ fields: { _csrf: csrf }, headers: { 'sec-fetch-site': 'same-site' } })],
    ['another origin', async () => ({ fields: { _csrf: csrf }, headers: { origin: 'https://evil.example' } })],
    ['another port', async () => ({ fields: { _csrf: csrf }, headers: { origin: 'http://localhost:1' } })],
    [
      'an opaque origin that the browser calls cross-site',
      async () => ({ fields: { _csrf: csrf }, headers: { origin: 'null', 'sec-fetch-site': 'cross-site' } }),
    ],
  ];

  test.each(forgeries)('with %s every form is refused, signing in and out too', async (_what, forge) => {
    const { fields = {}, headers = {} } = await forge(createAgent(postern.url));
    const events = await countEvents();
    const wrong: string[] = [];
    for (const route of posts()) {
      const page = await browser.post(pathOf(route), fields, headers);
      if (page.status !== 403 || page.hops.length > 0) wrong.push(`${route.path}: ${page.status}`);
    }
    expect(posts().length).toBeGreaterThan(40);
    expect(wrong).toEqual([]);
    expect(await countEvents()).toBe(events);
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('without its cookie a token is nothing, nor with one that was made up', async () => {
    for (const cookie of ['', `postern-csrf=${'A'.repeat(43)}.${'A'.repeat(43)}`]) {
      const kept = browser.cookies.filter(({ name }) => !name.startsWith('postern-csrf'));
      const header = [...kept.map(({ name, value }) => `${name}=${value}`), cookie].filter(Boolean).join('; ');
      const response = await fetch(`${postern.url}/sign-out`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: header, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ _csrf: csrf }).toString(),
      });
      expect(response.status).toBe(403);
    }
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('the confirmation of signing out can not be sent by another page', async () => {
    for (const fields of [{ logout: 'yes' }, { logout: 'yes', xsrf: 'A'.repeat(43) }] as Record<string, string>[]) {
      await browser.get('/oauth2/logout');
      const page = await browser.post('/oauth2/logout/confirm', fields);
      expect(page.status).toBe(400);
      expect(await isSignedIn(browser)).toBe(true);
    }
    // Only asking for it does nothing.
    await browser.get('/oauth2/logout');
    expect(await isSignedIn(browser)).toBe(true);
  });

  test('GET changes nothing: looking at every page leaves no trace', async () => {
    const state = async () => {
      const { prisma } = postern.db;
      return [
        await countEvents(),
        await prisma.user.count(),
        await prisma.session.count(),
        await prisma.oneTimeLink.count(),
      ];
    };
    const before = await state();
    for (const route of routes.filter(
      ({ method, path }) => method === 'GET' && /^\/(admin|account|setup|invite)/.test(path),
    )) {
      expect((await browser.get(pathOf(route))).status).toBeLessThan(500);
    }
    expect(await state()).toEqual(before);
  });
});

describe('the host', () => {
  const asked = (host: string, path: string, more = '') =>
    sendRaw(
      Number(new URL(postern.url).port),
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`,
    );

  test.each(['id.example.com', 'localhost', 'localhost:1', '127.0.0.1', 'localhost.evil.example'])(
    'a request for %s gets a page that names the setting, and nothing else',
    async (host) => {
      const paths = [
        '/',
        '/admin',
        '/setup',
        '/oauth2/jwks',
        '/.well-known/openid-configuration',
        '/interaction/x',
        '/assets/app.css',
      ];
      for (const path of paths) {
        const answer = await asked(host, path, 'Accept: text/html\r\n');
        expect(answer).toMatch(/^HTTP\/1\.1 421 /);
        expect(answer).toContain('POSTERN_ISSUER=');
        expect(answer).not.toMatch(/^set-cookie:/im);
        expect(answer).not.toMatch(/^location:/im);
      }
    },
  );

  test('a hostile host is not repeated as markup, and the answer says what the issuer is', async () => {
    const answer = await asked('"><script>alert(1)</script>', '/', 'Accept: text/html\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|21) /);
    expect(answer).not.toContain('<script>alert');
    const json = await asked('id.example.com', '/admin/api/v1/users', 'Accept: application/json\r\n');
    expect(json).toMatch(/content-type: application\/problem\+json/i);
    expect(json).toContain('421');
  });

  test('what a stranger says of forwarding changes no link', async () => {
    const { host } = new URL(postern.url);
    const forwarded = 'X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\n';
    const metadata = await asked(host, '/.well-known/openid-configuration', forwarded);
    expect(metadata).toContain(`"issuer":"${postern.url}"`);
    for (const path of ['/account', '/oauth2/authorize', '/console/sign-in']) {
      expect(await asked(host, path, forwarded)).not.toContain('evil.example');
    }
  });
});

describe('return_to', () => {
  test.each([
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example/',
    '/%2f%2fevil.example',
    '/%5cevil.example',
    '/%252f%252fevil.example',
    '/\t/evil.example',
    '/..//evil.example',
    'javascript:alert(1)',
    'evil.example',
  ])('%j leads to the account page', async (value) => {
    expect(await landing(value)).toBe('/account');
  });

  test('a page of ours with its query is where one comes back to', async () => {
    expect(await landing('/account/sessions?from=mail')).toBe('/account/sessions?from=mail');
    const person = await createPerson(postern);
    const agent = createAgent(postern.url);
    const page = await agent.get('/console/sign-in?return_to=%2Faccount%2Fsessions%3Ffrom%3Dmail');
    expect((await signIn(agent, page, person)).url).toBe(`${postern.url}/account/sessions?from=mail`);
  });

  test('a cookie that was changed leads nowhere else', async () => {
    const person = await createPerson(postern);
    const agent = createAgent(postern.url);
    const page = await agent.get('/account');
    for (const cookie of agent.cookies.filter(({ name }) => name.startsWith('postern_return_'))) {
      const flow = JSON.parse(Buffer.from(cookie.value, 'base64url').toString());
      cookie.value = Buffer.from(JSON.stringify({ ...flow, returnTo: '//evil.example' })).toString('base64url');
    }
    const end = await signIn(agent, page, person);
    expect(end.url).toBe(`${postern.url}/account`);
    expect(end.leaves).toBeUndefined();
  });

  /** What is kept for the way back; the last test above shows that it is also held to the rules when it is used. */
  async function landing(returnTo: string): Promise<string> {
    const agent = createAgent(postern.url);
    await agent.get(`/console/sign-in?return_to=${encodeURIComponent(returnTo)}`);
    const cookie = agent.cookies.find(({ name }) => name.startsWith('postern_return_'));
    return JSON.parse(Buffer.from(cookie?.value ?? '', 'base64url').toString()).returnTo;
  }
});

test('S87 S88 every page, whoever asks, carries the policies, has nothing inline and is kept nowhere', async () => {
  const nonces = new Set<string>();
  let pages = 0;
  for (const agent of [browser, createAgent(postern.url)]) {
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      const page = await agent.get(pathOf(route));
      if (!page.headers.get('content-type')?.startsWith('text/html')) continue;
      const at = `${route.path} (${page.status})`;
      const policy = page.headers.get('content-security-policy') ?? '';
      const nonce = /'nonce-([\w-]{20,})'/.exec(policy)?.[1] ?? '';
      expect([at, policy]).toEqual([at, expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/)]);
      expect([at, policy]).toEqual([at, expect.not.stringMatching(/unsafe-|\*/)]);
      expect(page.headers.get('x-content-type-options')).toBe('nosniff');
      expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
      expect([at, page.headers.get('cache-control')]).toEqual([at, expect.stringContaining('no-store')]);
      expect(page.headers.get('x-powered-by')).toBeNull();
      for (const [tag] of page.html.matchAll(/<script\b[^>]*>/g)) expect(tag).toContain(`nonce="${nonce}"`);
      expect([at, page.html.match(/<[^>]*\s(?:on\w+|style)=/i)?.[0]]).toEqual([at, undefined]);
      expect(page.html).not.toMatch(/<style\b|javascript:/i);
      nonces.add(nonce);
      pages += 1;
    }
  }
  expect(nonces.size).toBe(pages);
  expect(pages).toBeGreaterThan(60);
}, 60_000);
