import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { generate } from 'otplib';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { launchChromium } from '../support/chromium.ts';
import { type Application, BY_TEST, createPerson, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type Program, runCommand, startRelyingParty } from '../support/programs.ts';

let postern: Postern;
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
  postern = await startPostern();
});
afterAll(async () => {
  await browser?.close();
  await postern?.close();
});

async function newPage(): Promise<Page> {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  // Nothing that the pages do may need what their policy forbids.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  return page;
}
const problems: string[] = [];

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });

test('from the setup link to a verified token of a service, and every step in the audit log', async () => {
  const page = await newPage();
  await page.goto((await postern.setupLink()) ?? '');
  await page.getByLabel('E-mail address').fill('ada@example.com');
  await page.getByLabel('Name').fill('Ada Marlow');
  await page.getByLabel('Password', { exact: true }).fill('seven green elephants');
  await button(page, 'Create administrator').click();

  await button(page, 'Continue as Ada Marlow').click();
  const key = (await page.locator('.qr .secret code').textContent())?.replaceAll(' ', '') ?? '';
  expect(key).toMatch(/^[A-Z2-7]{32}$/);
  await page.getByRole('textbox', { name: 'Code' }).fill(await generate({ secret: key }));
  await button(page, 'Confirm').click();
  expect(await page.locator('.codes li').count()).toBe(10);
  await button(page, 'I have kept them').click();
  await page.waitForURL(`${postern.url}/admin`);

  await page.getByRole('link', { name: 'APIs' }).first().click();
  await page
    .getByRole('link', { name: /new api|add an api|new/i })
    .first()
    .click();
  await page.getByLabel('Audience').fill('https://orders.example.com');
  await page.getByLabel('Permissions').fill('orders.read See orders\norders.write Change orders');
  await page.locator('main form button[type=submit]').click();
  await page.waitForURL(/\/admin\/apis\/[0-9a-f-]{36}$/);

  await page.getByRole('link', { name: 'Service accounts' }).first().click();
  await page.getByRole('link', { name: 'New service account' }).first().click();
  await page.getByLabel('Name').fill('order-intake');
  await page.getByLabel('orders.read').check();
  await button(page, 'Create service account').click();
  const [clientId = '', secret = '', command = ''] = await page.locator('main .secret code').allTextContents();
  expect(secret).toMatch(/^pst_[\w-]{43}[A-Za-z0-9]{6}$/);
  expect(command).toMatch(/^curl /);

  // Exactly as the page says it.
  const answer = JSON.parse(await runCommand(`${command} --silent --show-error`));
  expect(answer).toMatchObject({ token_type: 'Bearer', scope: 'orders.read', expires_in: 300 });
  const keys = createRemoteJWKSet(new URL(`${postern.url}/oauth2/jwks`));
  const { payload, protectedHeader } = await jwtVerify(answer.access_token, keys, {
    issuer: postern.url,
    audience: 'https://orders.example.com',
    typ: 'at+jwt',
  });
  expect(protectedHeader.alg).toBe('ES256');
  expect(payload).toMatchObject({ client_id: clientId, sub: clientId, scope: 'orders.read' });

  await page.getByRole('link', { name: 'I have kept' }).or(page.locator('main .button').last()).first().click();
  expect(await page.content()).not.toContain(secret);
  await page.getByRole('link', { name: 'Audit log' }).first().click();
  const rows = (await page.locator('main tbody tr').allTextContents()).map((row) => row.replace(/\s+/g, ' '));
  const steps = [
    'Set up',
    'Second factor set up',
    'Recovery codes made',
    'Sign-in',
    'API declared',
    'Service account created',
    'Token issued',
  ];
  const recorded = steps.map((step) => rows.find((row) => row.trim().startsWith(step)) ?? `no ${step}`);
  for (const row of recorded) expect(row).toContain('Success');
  expect(rows.find((row) => row.includes('Token issued'))).toContain('order-intake');
  await page.getByRole('link', { name: 'Overview' }).first().click();
  expect(await page.locator('main').textContent()).toContain('ada@example.com');
  expect(problems).toEqual([]);
  await page.context().close();
}, 60_000);

test('a program apart signs a person in with a second factor, refreshes, asks userinfo and signs out', async () => {
  const port = await freePort();
  const rp = `http://localhost:${port}`;
  const person = await createPerson(postern);
  const { clientId, secret = '' } = await postern.parts.applications.create(
    {
      name: 'Harbour Shop',
      type: 'web',
      redirectUris: [`${rp}/callback`],
      postLogoutRedirectUris: [`${rp}/signed-out`],
      scopes: ['openid', 'profile', 'email'],
    },
    BY_TEST,
  );
  const program: Program = await startRelyingParty(postern.url, { clientId, secret } as Application, port);
  const page = await newPage();
  const shown = async () => JSON.parse((await page.locator('body').textContent()) ?? '');
  try {
    await page.goto(`${rp}/sign-in`);
    expect(await page.locator('main').textContent()).toContain('Harbour Shop');
    await signInWith(page, person);
    await page.waitForURL(/\/consent$/);
    const asked = (await page.locator('main').textContent()) ?? '';
    expect(asked).toContain('Harbour Shop');
    expect(asked).toContain(`localhost:${port}`);
    expect(await page.locator('.grants li').count()).toBe(3);
    await button(page, 'Allow').click();
    await page.waitForURL(/\/callback/);
    const { claims, refreshable } = await shown();
    expect(claims).toMatchObject({ sub: person.id, iss: postern.url, aud: clientId, acr: 'urn:postern:aal2' });
    expect(claims.amr).toEqual(expect.arrayContaining(['pwd', 'otp']));
    expect(refreshable).toBe(true);

    await page.goto(`${rp}/refresh`);
    expect(await shown()).toEqual({ rotated: true });
    await page.goto(`${rp}/userinfo`);
    expect(await shown()).toMatchObject({ sub: person.id, email: person.email, name: person.name });

    // Signed in and allowed before: no page at all.
    await page.goto(`${rp}/sign-in`);
    expect(new URL(page.url()).pathname).toBe('/callback');

    await page.goto(`${rp}/sign-out`);
    expect(await page.locator('main').textContent()).toContain('Harbour Shop');
    await button(page, 'Sign out').click();
    await page.waitForURL(`${rp}/signed-out*`);
    await page.goto(`${rp}/sign-in`);
    expect(await page.getByLabel('Password', { exact: true }).isVisible()).toBe(true);
    // Consent, however, is remembered: after the second sign-in it is not asked again.
    await signInWith(page, person);
    await page.waitForURL(/\/callback/);
    expect((await shown()).claims.sub).toBe(person.id);
    expect(problems).toEqual([]);
  } finally {
    await page.context().close();
    await program.stop();
  }
}, 60_000);

async function signInWith(page: Page, person: Person): Promise<void> {
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await button(page, 'Sign in').click();
  await page.getByRole('textbox', { name: 'Code' }).fill(await person.code());
  await button(page, 'Continue').click();
}
