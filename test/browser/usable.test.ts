import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { launchChromium } from '../support/chromium.ts';
import { authorizePath, codeRequest } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
/** Stands where the application is: it only says hello. */
let elsewhere: Server;
let callback: string;
let browser: Browser;
let application: Application;
let admin: Person;
let audience: string;

const axe = readFileSync(join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8');
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 900 };

beforeAll(async () => {
  const port = await freePort();
  callback = `http://localhost:${port}/callback`;
  elsewhere = createServer((_, response) => void response.end('hello')).listen(port, 'localhost');
  browser = await launchChromium();
  postern = await startPostern();
  audience = await createApi(postern, ['orders.read', 'orders.write']);
  // Long names are where pages break.
  const name = 'Wilhelmina-Alexandrine-Featherstonehaugh-Cholmondeley';
  application = await createApplication(postern, {
    firstParty: false,
    redirectUris: [callback],
    permissions: [`${audience}#orders.read`],
  });
  await createService(postern, [`${audience}#orders.read`]);
  const email = `${name.toLowerCase()}@a-rather-long-domain-name.example.com`;
  await postern.parts.users.invite({ email, name: `${name} van der Oosterhout` }, BY_TEST);
  admin = await createPerson(postern, { roles: ['admin'] });
  await grantRole(postern, admin, [`${audience}#orders.read`]);
});
afterAll(async () => {
  await browser?.close();
  elsewhere.close();
  await postern?.close();
});

async function newPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: DESK, ...options });
  context.setDefaultTimeout(10_000);
  return context.newPage();
}

interface AxeResult {
  violations: { id: string; nodes: { target: string[] }[] }[];
}

/** What is wrong with the page that is shown: for screen readers, in both colour schemes, on a phone. */
async function faults(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    if (!(await page.evaluate('typeof axe !== "undefined"'))) await page.evaluate(axe);
    // In the dark only colours differ.
    const options = {
      resultTypes: ['violations'],
      preload: false,
      ...(scheme === 'dark' && { runOnly: ['color-contrast'] }),
    };
    const { violations } = (await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`)) as AxeResult;
    for (const { id, nodes } of violations) found.push(`${scheme} ${id}: ${nodes.map(({ target }) => target)}`);
  }
  await page.setViewportSize(PHONE);
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  if (wide !== 0) found.push(`${wide}px wider than a phone`);
  await page.setViewportSize(DESK);
  const headings = await page.locator('h1').count();
  if (headings !== 1) found.push(`${headings} main headings`);
  return found.map((fault) => `${new URL(page.url()).pathname}: ${fault}`);
}

const authorize = () =>
  authorizePath(codeRequest(application, { resource: audience, scope: 'openid email orders.read' }).params);
const submit = (page: Page) => page.locator('main form button[type=submit]').first().click();

test('every page on the way in can be read and used by everybody, in light and dark and on a phone', async () => {
  const page = await newPage();
  const found: string[] = [];
  const see = async () => found.push(...(await faults(page)));

  // There is an admin, so the link's own page says so; the form is seen at a new installation in whole.test.ts.
  await page.goto(`${postern.url}/setup?token=x`);
  await see();
  await page.goto(`${postern.url}/no-such-page`);
  await see();
  await page.goto(`${postern.url}/oauth2/authorize?client_id=nobody`);
  await see();
  const invited = await postern.parts.users.invite({ email: 'guest@example.com', name: 'Guest' }, BY_TEST);
  await page.goto(invited.inviteUrl);
  await see();
  await page.getByLabel('Password', { exact: true }).fill('short');
  await submit(page);
  await see();
  await page.getByLabel('Password', { exact: true }).fill('seven green elephants');
  await submit(page);
  await see();
  await submit(page);
  await page.waitForURL(/\/enroll$/);
  await see();
  await page.getByRole('textbox', { name: 'Code' }).fill('000000');
  await submit(page);
  await see();

  await page.context().clearCookies();
  await page.goto(`${postern.url}${authorize()}`);
  await see();
  await page.getByLabel('E-mail address').fill(admin.email);
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await submit(page);
  await see();
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await submit(page);
  await page.waitForURL(/\/factor$/);
  await see();
  await page.getByRole('link', { name: 'Use a recovery code' }).click();
  await see();
  await page.getByRole('link', { name: 'Use the authenticator app instead' }).click();
  await page.getByRole('textbox', { name: 'Code' }).fill(await admin.code());
  await submit(page);
  await page.waitForURL(/\/consent$/);
  await see();
  await page.goto(`${postern.url}/oauth2/logout`);
  await see();
  await page.locator('button[name=logout]').click();
  await page.waitForURL(/\/logout\/success/);
  await see();
  expect(found).toEqual([]);
  await page.context().close();
}, 60_000);

test('so can every page of the account and of administration', async () => {
  const page = await newPage();
  await page.goto(`${postern.url}/admin`);
  await page.getByLabel('E-mail address').fill(admin.email);
  await page.getByLabel('Password', { exact: true }).fill(admin.password);
  await submit(page);
  await page.getByRole('textbox', { name: 'Code' }).fill(await admin.code());
  await submit(page);
  await page.waitForURL(`${postern.url}/admin`);

  const found = await faults(page);
  // Everything that a link leads to, one page of each kind.
  const kind = (path: string) =>
    path.replace(
      /[0-9a-f]{8}-[0-9a-f-]{27}|(?<=applications\/)(?!new)[^/]+|(?<=roles\/)(?!new)[^/]+|(?<=tokens\/)[^/]+/,
      ':id',
    );
  const seen = new Set(['/admin']);
  const waiting = ['/admin', '/account'];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    await page.goto(`${postern.url}${path}`);
    if (path !== '/admin') found.push(...(await faults(page)));
    const links = (await page.evaluate('[...document.links].map((link) => link.href)')) as string[];
    for (const href of links) {
      const { origin, pathname } = new URL(href);
      if (origin !== postern.url || !/^\/(admin|account)\b/.test(pathname) || seen.has(kind(pathname))) continue;
      seen.add(kind(pathname));
      waiting.push(pathname);
    }
  }
  expect(found).toEqual([]);
  expect(PAGES.filter((path) => !seen.has(path))).toEqual([]);
  await page.context().close();
}, 60_000);

const PAGES = [
  '/account',
  '/account/applications',
  '/account/factors',
  '/account/factors/recovery-codes',
  '/account/factors/totp',
  '/account/password',
  '/account/sessions',
  '/admin',
  '/admin/apis',
  '/admin/apis/:id',
  '/admin/apis/:id/edit',
  '/admin/apis/new',
  '/admin/applications',
  '/admin/applications/:id',
  '/admin/applications/:id/edit',
  '/admin/applications/new',
  '/admin/audit',
  '/admin/audit/:id',
  '/admin/roles',
  '/admin/roles/:id',
  '/admin/roles/:id/edit',
  '/admin/roles/new',
  '/admin/service-accounts',
  '/admin/service-accounts/:id',
  '/admin/service-accounts/:id/edit',
  '/admin/service-accounts/:id/permissions',
  '/admin/service-accounts/new',
  '/admin/tokens',
  '/admin/users',
  '/admin/users/:id',
  '/admin/users/new',
];

test('signing in takes no mouse, and what has the focus can be seen', async () => {
  const page = await newPage();
  const person = await createPerson(postern);
  await page.goto(`${postern.url}${authorize()}`);
  const focused = async () => {
    const [name, visible] = (await page.evaluate(`(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      return [element.name || element.textContent.trim(), ring || style.boxShadow !== 'none'];
    })()`)) as [string, boolean];
    expect([name, visible]).toEqual([name, true]);
    return name;
  };
  const press = (key: string) => page.keyboard.press(key);
  // The first field has the focus already.
  expect(await focused()).toBe('login');
  await page.keyboard.type(person.email);
  await press('Tab');
  expect(await focused()).toBe('password');
  await page.keyboard.type(person.password);
  await press('Tab');
  expect(await focused()).toMatch(/password/i);
  await press('Tab');
  expect(await focused()).toBe('Sign in');
  await press('Enter');
  await page.waitForURL(/\/factor$/);
  expect(await focused()).toBe('code');
  await page.keyboard.type(await person.code());
  await press('Enter');
  await page.waitForURL(/\/consent$/);
  for (let i = 0; i < 8; i++) {
    await press('Tab');
    if ((await focused()) === 'Allow') break;
  }
  await press('Enter');
  await page.waitForURL((url) => url.href.startsWith(`${callback}?code=`));
  // The first stop of every page leads past the navigation.
  await page.goto(`${postern.url}/account`);
  await press('Tab');
  await press('Enter');
  expect(new URL(page.url()).hash).toBe('#main');
  await page.context().close();
}, 60_000);

test('without JavaScript people sign in, allow, manage and sign out', async () => {
  const page = await newPage({ javaScriptEnabled: false, viewport: PHONE });
  const person = await createPerson(postern);
  await page.goto(`${postern.url}${authorize()}`);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('textbox', { name: 'Code' }).fill(await person.code());
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL((url) => url.href.startsWith(`${callback}?code=`));
  await page.goto(`${postern.url}/account`);
  expect(await page.locator('main').textContent()).toContain(person.email);
  // On a phone the navigation and the menu are folded; they unfold without a script.
  await page.locator('details.fold > summary').click();
  await page.locator('details.fold').getByRole('link', { name: 'Sessions' }).click();
  await page.waitForURL(/\/account\/sessions$/);
  await page.locator('details.menu > summary').click();
  await page.locator('details.menu').getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/\/oauth2\/logout/);
  await page.locator('button[name=logout]').click();
  await page.waitForURL(/\/logout\/success/);
  await page.goto(`${postern.url}/account`);
  expect(await page.getByLabel('Password', { exact: true }).isVisible()).toBe(true);
  await page.context().close();
}, 60_000);
