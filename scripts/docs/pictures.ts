// Takes the pictures of the README from the running product: node scripts/run.mjs pictures. Linux, with Chromium.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { generate } from 'otplib';
import type { Browser, Page } from 'playwright-core';
import { type App, build } from '../../src/app.ts';
import { loadConfig } from '../../src/platform/config/load.ts';
import { createLog } from '../../src/platform/observe/log.ts';
import { launchChromium } from '../../test/support/chromium.ts';
import { authorizePath, clientCredentials, codeRequest } from '../../test/support/oauth.ts';
import { withPalette } from './png.ts';

const folder = path.resolve(import.meta.dirname, '../../docs/images');
const SCALE = 2;

const SCHEMES = ['light', 'dark'] as const;
const PERIOD = 30;
const PASSWORD = 'a long walk in winter';
const by = { by: { type: 'system' as const, name: 'pictures' } };

interface Person {
  email: string;
  code(): Promise<string>;
}

async function person(app: App, name: string, roles: string[]): Promise<Person> {
  const { users, credentials } = app.parts;
  const email = `${name.toLowerCase().split(' ')[0]}@example.com`;
  const { id } = await users.createWithPassword({ email, name, roles }, PASSWORD, by);
  const { secret } = credentials.totp.begin();
  // The factor is confirmed with the code before: the present one is left for signing in.
  const epoch = Math.floor(Date.now() / 1000) - PERIOD;
  const early = await generate({ secret, epoch });
  await app.db.tx((tx) => credentials.totp.confirm(tx, id, secret, early));
  return { email, code: () => generate({ secret }) };
}

async function fill(app: App) {
  const { parts } = app;
  const ada = await person(app, 'Ada Byron', ['admin']);
  await person(app, 'Grace Hopper', ['admin']);
  const barbara = await person(app, 'Barbara Liskov', []);
  const radia = await person(app, 'Radia Perlman', []);
  await parts.users.invite({ email: 'katherine@example.com', name: 'Katherine Johnson', roles: [] }, by);
  const api = async (name: string, permissions: string[]) => {
    const audience = `https://${name.toLowerCase()}.example.com`;
    const declared = permissions.map((permission) => ({ name: permission, description: '' }));
    await parts.access.apis.create({ audience, name, permissions: declared }, by);
    return (permission: string) => `${audience}#${permission}`;
  };
  const orders = await api('Orders', ['read', 'write']);
  const stock = await api('Stock', ['read', 'write', 'introspect']);
  for (const [name, permission] of [
    ['billing', orders('read')],
    ['shipping', orders('write')],
    ['stock', stock('introspect')],
    ['warehouse', stock('write')],
  ] as const) {
    const made = await parts.serviceAccounts.create({ name, permissions: [permission] }, by);
    for (let count = 0; count < 3; count += 1) await clientCredentials(app.url, made);
  }
  const redirectUris = ['https://shop.example.com/callback'];
  const { clientId } = await parts.applications.create({ name: 'Shop', type: 'web', redirectUris }, by);
  await parts.applications.create(
    { name: 'Back office', type: 'spa', firstParty: true, redirectUris: ['https://office.example.com/'] },
    by,
  );
  const [redirectUri = ''] = redirectUris;
  const shop = authorizePath(codeRequest({ clientId, secret: '', redirectUri, postLogoutRedirectUri: '' }).params);
  return { ada, barbara, radia, shop };
}

async function signIn(browser: Browser, app: App, who: Person, at: string) {
  const page = await browser.newPage({ baseURL: app.url, deviceScaleFactor: SCALE });
  await page.goto(at);
  await page.fill('[name=login]', who.email);
  await page.fill('[name=password]', PASSWORD);
  await page.press('[name=password]', 'Enter');
  await page.fill('[name=code]', await who.code());
  await page.press('[name=code]', 'Enter');
  await page.waitForLoadState();
  return page;
}

async function takeBoth(page: Page, file: (scheme: string) => string): Promise<void> {
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    // Colours fade from one scheme to the other.
    writeFileSync(file(colorScheme), withPalette(await page.screenshot({ animations: 'disabled' })));
  }
}

async function takePictures(app: App, browser: Browser): Promise<void> {
  const { ada, barbara, radia, shop } = await fill(app);
  const file = (name: string, scheme: string) => path.join(folder, `${name}-${scheme}.png`);

  const stranger = await browser.newPage({ baseURL: app.url, deviceScaleFactor: SCALE });
  await stranger.setViewportSize({ width: 460, height: 720 });
  await stranger.goto(shop);
  await takeBoth(stranger, (scheme) => file('sign-in', scheme));

  await signIn(browser, app, barbara, '/account');
  await signIn(browser, app, radia, '/account');
  const admin = await signIn(browser, app, ada, '/admin');
  for (const [name, address] of [
    ['overview', '/admin'],
    ['service-accounts', '/admin/service-accounts'],
  ] as const) {
    await admin.setViewportSize({ width: 1180, height: 846 });
    await admin.goto(address);
    await takeBoth(admin, (scheme) => file(name, scheme));
  }
}

mkdirSync(folder, { recursive: true });
const dataDir = mkdtempSync(path.join(tmpdir(), 'postern-pictures-'));
const env = {
  PORT: '0',
  POSTERN_DATA_DIR: dataDir,
  POSTERN_MANAGEMENT_PORT: '0',
  POSTERN_SMTP_URL: 'smtp://127.0.0.1:1',
};
const app = await build(loadConfig(env), { log: createLog({ level: 'fatal' }) });
const browser = await launchChromium();
try {
  await app.listen();
  await takePictures(app, browser);
} finally {
  await browser.close();
  await app.close();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
