// Renders every layout part on sample pages, so that the look can be judged without data:
//   node test/support/gallery.ts            serves the pages and prints their addresses
//   node test/support/gallery.ts <folder>   takes pictures of them: light, dark, phone, right-to-left
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderSVG } from 'uqr';
import { AppError, type FieldError } from '../../src/kernel/errors.ts';
import { createAssets } from '../../src/platform/web/assets.ts';
import { flash } from '../../src/platform/web/flash.ts';
import { type Route, route } from '../../src/platform/web/route.ts';
import { createViews, type LayoutName, type PageModel } from '../../src/platform/web/views.ts';
import { startTestWeb, type TestWeb } from './web.ts';

const root = join(import.meta.dirname, '../..');
const now = new Date('2026-11-21T09:30:00Z');
const longName = 'Wilhelmina-Alexandrine Featherstonehaugh-Cholmondeley van der Oosterhout';

const person = {
  id: '1',
  email: 'ann.marlow@example.com',
  name: 'Ann Marlow',
  roles: ['admin'],
  sessionUid: 's',
  acr: 'urn:postern:aal2',
  authTime: now,
};

interface Page {
  path: string;
  view: string;
  layout?: LayoutName;
  model: PageModel;
  /** Unfolds what is folded: a CSS selector of <summary> elements. */
  open?: string;
}

const errors: Record<string, FieldError> = {
  _form: { code: 'invalid_input' },
  name: { code: 'too_long', params: { max: 80 } },
  redirect_uris: { code: 'invalid_url' },
  contact: { code: 'invalid_email' },
};

const users = [
  {
    name: 'Ann Marlow',
    email: 'ann.marlow@example.com',
    badge: { label: 'Active', tone: 'good' },
    roles: 'admin',
    last: now,
  },
  {
    name: longName,
    email: `${'w.'.repeat(30)}featherstonehaugh@a-rather-long-domain-name.example`,
    badge: { label: 'Invited', tone: 'accent' },
    roles: 'auditor, operator',
    last: null,
  },
  { name: 'Björn Åkesson', email: 'bjorn@example.com', badge: { label: 'Disabled' }, roles: '–', last: now },
  {
    name: 'مريم الخطيب',
    email: 'maryam@example.com',
    badge: { label: 'Locked', tone: 'warn' },
    roles: 'support',
    last: now,
  },
];

const pages: Page[] = [
  { path: '/sign-in', view: 'sign-in', model: { title: 'Sign in' } },
  {
    path: '/sign-in-wrong',
    view: 'sign-in',
    model: {
      title: 'Sign in',
      values: { login: 'ann' },
      errors: { _form: { code: 'limits.too_many' }, login: { code: 'invalid_email' } },
    },
  },
  { path: '/consent', view: 'consent', model: { title: 'Allow access?' } },
  {
    path: '/factor',
    view: 'factor',
    model: {
      title: 'Add your second factor',
      svg: renderSVG(`otpauth://totp/Postern:ann@example.com?secret=${'JBSWY3DPEHPK3PXP'.repeat(2)}&issuer=Postern`),
    },
  },
  {
    path: '/codes',
    view: 'codes',
    model: {
      title: 'Keep your recovery codes',
      wide: true,
      codes: Array.from({ length: 10 }, (_, i) => `K7QD-M2XW-9RTA-V${i}HC`),
    },
  },
  { path: '/admin', view: 'overview', layout: 'console', model: { title: 'Overview', now } },
  {
    path: '/admin/users',
    view: 'list',
    layout: 'console',
    model: { title: 'Users', users },
    open: '.table .confirm summary >> nth=1',
  },
  { path: '/admin/service-accounts', view: 'detail', layout: 'console', model: { title: 'order-intake', now } },
  {
    path: '/admin/applications',
    view: 'form',
    layout: 'console',
    model: {
      title: 'New application',
      errors,
      values: {
        name: longName.repeat(2),
        contact: 'nobody',
        redirect_uris: 'not a uri\nhttps://app.example.com/callback',
      },
    },
  },
  { path: '/account', view: 'detail', layout: 'console', model: { title: longName, now }, open: '.menu > summary' },
];

export async function startGallery(): Promise<TestWeb> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-gallery-'));
  cpSync(join(import.meta.dirname, 'gallery'), dir, { recursive: true });
  symlinkSync(join(root, 'views/layout'), join(dir, 'layout'));
  const views = createViews({ dir, assets: createAssets(join(root, 'views/assets')) });
  const routes = pages.map(
    ({ path, view, layout = 'plain', model }): Route =>
      route({ method: 'GET', path }, (ctx) => {
        if (layout === 'console') ctx.state.person = person;
        if (path === '/account') flash(ctx, 'success', 'copy.done');
        views.render(ctx, view, model, { layout });
      }),
  );
  const broken = route({ method: 'GET', path: '/broken' }, () => {
    throw new AppError('internal', { status: 500 });
  });
  const web = await startTestWeb({ routes: [...routes, broken] });
  return {
    ...web,
    close: async () => {
      await web.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const LOOKS = [
  { name: 'light', width: 1280, height: 900, scheme: 'light', rtl: false },
  { name: 'dark', width: 1280, height: 900, scheme: 'dark', rtl: false },
  { name: 'phone', width: 390, height: 844, scheme: 'light', rtl: false },
  { name: 'rtl', width: 1280, height: 900, scheme: 'light', rtl: true },
] as const;

async function takePictures(web: TestWeb, folder: string, only: string | undefined): Promise<void> {
  const { launchChromium } = await import('./chromium.ts');
  mkdirSync(folder, { recursive: true });
  const browser = await launchChromium();
  const extra = [
    { path: '/broken', open: undefined },
    { path: '/nothing', open: undefined },
  ];
  for (const look of LOOKS) {
    if (only !== undefined && !only.split(',').includes(look.name)) continue;
    const page = await browser.newPage({
      viewport: { width: look.width, height: look.height },
      colorScheme: look.scheme,
    });
    for (const { path, open } of [...pages, ...extra]) {
      await page.goto(`${web.origin}${path}`);
      if (look.rtl) await page.evaluate("document.documentElement.dir = 'rtl'");
      if (open !== undefined) await page.locator(open).click();
      await page.screenshot({ path: join(folder, `${look.name}${path.replaceAll('/', '-')}.png`), fullPage: true });
    }
    await page.goto(`http://127.0.0.1:${web.port}/`);
    await page.screenshot({ path: join(folder, `${look.name}-wrong-host.png`), fullPage: true });
    await page.close();
  }
  await browser.close();
}

if (import.meta.main) {
  const web = await startGallery();
  const [folder, only] = process.argv.slice(2);
  if (folder === undefined) {
    process.stdout.write(`${pages.map(({ path }) => `${web.origin}${path}`).join('\n')}\n`);
  } else {
    await takePictures(web, folder, only);
    await web.close();
  }
}
