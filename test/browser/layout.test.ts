import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { startGallery } from '../support/gallery.ts';
import type { TestWeb } from '../support/web.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATHS = [
  '/sign-in',
  '/sign-in-wrong',
  '/consent',
  '/factor',
  '/codes',
  '/admin',
  '/admin/users',
  '/admin/service-accounts',
  '/admin/applications',
  '/account',
  '/broken',
];

interface Violation {
  id: string;
  nodes: { html: string }[];
}

let web: TestWeb;
let browser: Browser;

beforeAll(async () => {
  web = await startGallery();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await web?.close();
});

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const result = await page.evaluate<{ violations: Violation[] }>(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  );
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

describe.each([
  { name: 'light, on a desktop', width: 1280, scheme: 'light', rtl: false },
  { name: 'dark, on a phone', width: 390, scheme: 'dark', rtl: false },
  { name: 'right to left, on a narrow phone', width: 320, scheme: 'light', rtl: true },
] as const)('$name', ({ width, scheme, rtl }) => {
  let page: Page;
  let complaints: string[] = [];
  beforeAll(async () => {
    page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: 'reduce' });
    page.on('console', (message) => {
      if (message.type() === 'error' && /security policy/i.test(message.text())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  });
  afterAll(() => page?.close());

  test.each(PATHS)('%s meets WCAG 2.2 AA, fits the screen and obeys its own policy', async (path) => {
    complaints = [];
    await page.goto(`${web.origin}${path}`);
    if (rtl) await page.evaluate("document.documentElement.dir = 'rtl'");
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
  });
});

describe('by hand', () => {
  test('the keyboard reaches the content first, and a question can be answered without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
    const page = await context.newPage();
    await page.goto(`${web.origin}/admin/users`);
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toBe('Skip to the content');
    await page.locator('.fold > summary').click();
    expect(await page.locator('.fold').getByRole('link', { name: 'Audit log' }).isVisible()).toBe(true);
    await page.locator('.table .confirm > summary').first().click();
    expect(await page.locator('.table .confirm-panel button').first().isVisible()).toBe(true);
    await context.close();
  });

  test('a password can be looked at, and a form is sent once', async () => {
    const page = await browser.newPage();
    await page.goto(`${web.origin}/sign-in`);
    await page.getByLabel('Password', { exact: true }).fill('something');
    await page.getByRole('button', { name: 'Show password' }).click();
    expect(await page.locator('#password').getAttribute('type')).toBe('text');
    const posts: string[] = [];
    await page.route('**/nowhere', async (route) => {
      posts.push(route.request().url());
      await new Promise((resolve) => setTimeout(resolve, 300));
      await route.fulfill({ body: 'ok' });
    });
    await page.getByLabel('E-mail').fill('ann@example.com');
    await page.evaluate("const b = document.querySelector('[type=submit]'); b.click(); b.click()");
    await page.waitForURL('**/nowhere');
    expect(posts).toHaveLength(1);
    await page.close();
  });
});
