import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import type { Form } from '../support/page.ts';
import {
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { allRoutes } from '../support/routes.ts';

let postern: Postern;
let admin: Person;
let browser: Agent;

beforeAll(async () => {
  postern = await startPostern();
  admin = await createPerson(postern, { roles: ['admin'] });
  const audience = await createApi(postern, ['orders.read']);
  await createApplication(postern, { permissions: [`${audience}#orders.read`] });
  await createService(postern, [`${audience}#orders.read`]);
  await grantRole(postern, await createPerson(postern), [`${audience}#orders.read`]);
  browser = await browserOf(postern, admin, '/admin');
});
afterAll(() => postern.close());

const MARK = 'onerror=alert(1)>';
const HOSTILE = [
  '',
  '   ',
  'a'.repeat(5_000),
  "'; DROP TABLE user_account; --",
  `"><img src=x ${MARK}`,
  '<%= process.env %>{{7*7}}',
  'x\r\nSet-Cookie: planted=1\r\n\r\n<b>',
  'nul \0 byte',
  '\u202etxt.exe\u2066\ufeff',
  '\ud83d half, 👩‍👩‍👧‍👦, é, ﷺ',
  '-1e309',
  '9223372036854775808',
  '{"not":""}',
  '../../../../etc/passwd',
  '__proto__',
  '%00%ff%',
];

/** Of these, what a form might take. */
const PLAUSIBLE = HOSTILE.filter((value) => /DROP|onerror|923372/.test(value));

/** What must never be seen in an answer. */
function fault(page: Page): string | undefined {
  if (page.status >= 500) return String(page.status);
  if (page.html.includes(`<img src=x ${MARK}`)) return 'markup';
  if (
    /\bat [\w.<> ]+ \(?(?:file:|\/|node:)|node_modules|\.ts:\d+|Prisma|PostgreSQL|syntax error|SELECT |42P\d\d/.test(
      page.text,
    )
  ) {
    return `inside: ${page.text.slice(0, 200)}`;
  }
  if (page.headers.getSetCookie().some((line) => line.startsWith('planted'))) return 'header';
  return undefined;
}

/** What was wrong inside, whatever was answered. */
const failuresOf = ({ logged }: Postern) => logged.filter(({ level }) => level === 'error' || level === 'fatal');
const failures = () => failuresOf(postern);

async function attack(agent: Agent, page: Page, form: Form, wrong: string[]): Promise<void> {
  const action = new URL(form.action || page.url, page.url);
  const all = Object.keys({ ...form.fields, ...Object.fromEntries(form.inputs.map((name) => [name, ''])) });
  const names = all.filter((name) => name !== '_csrf');
  // Each field meets each value beside others that are as bad, and some of them in a form that is right otherwise.
  const tries = HOSTILE.map((_, shift) =>
    names.map((name, index): [string, string] => [name, HOSTILE[(shift + index) % HOSTILE.length] ?? '']),
  );
  for (const name of names) for (const value of PLAUSIBLE) tries.push([[name, value]]);
  for (const changed of tries) {
    const fields = { ...form.fields, ...Object.fromEntries(changed) };
    const answer =
      form.method === 'get'
        ? await agent.get(`${action.pathname}?${new URLSearchParams(fields)}`)
        : await agent.post(action.pathname + action.search, fields);
    const found = fault(answer);
    if (found) wrong.push(`${form.method} ${action.pathname} ${JSON.stringify(changed).slice(0, 200)}: ${found}`);
  }
}

test('S92 every field of every form of account and administration bears anything', async () => {
  const kind = (path: string) =>
    path.replace(
      /[0-9a-f]{8}-[0-9a-f-]{27}|(?<=applications\/)app_\w+|(?<=roles\/)(?!new)[^/]+|(?<=tokens\/)[^/]+/g,
      ':id',
    );
  const seen = new Set<string>();
  const tried = new Set<string>();
  const wrong: string[] = [];
  const waiting = ['/admin', '/account'];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const page = await browser.get(path);
    for (const form of page.forms) {
      const target = `${form.method} ${kind(form.action)}`;
      if (tried.has(target) || form.action === '/sign-out') continue;
      tried.add(target);
      // What only asks for a confirmation has nothing to type into.
      if (form.inputs.length > 0) await attack(browser, page, form, wrong);
    }
    for (const [, href = ''] of page.html.matchAll(/<a\b[^>]*href="([^"]+)"/g)) {
      const { origin, pathname } = new URL(href.replaceAll('&amp;', '&'), page.url);
      if (origin !== postern.url || !/^\/(admin|account)\b/.test(pathname) || seen.has(kind(pathname))) continue;
      seen.add(kind(pathname));
      waiting.push(pathname);
    }
  }
  expect(wrong).toEqual([]);
  expect(tried.size).toBeGreaterThan(20);
  expect(failures()).toEqual([]);
}, 60_000);

test('S92 so do set-up, invitation and every step of signing in', async () => {
  const wrong: string[] = [];
  const fresh = await startPostern();
  try {
    const page = await createAgent(fresh.url).get((await fresh.setupLink()) ?? '');
    // The link works once: only what is refused can be tried.
    const [form] = page.forms as [Form];
    form.fields = { ...form.fields, email: 'a@example.com', name: 'A', password: 'password' };
    const agent = createAgent(fresh.url);
    await attack(agent, await agent.get((await fresh.setupLink()) ?? ''), form, wrong);
    expect(failuresOf(fresh)).toEqual([]);
  } finally {
    await fresh.close({ keepTime: true });
  }

  const { inviteUrl } = await postern.parts.users.invite({ email: 'guest@example.com', name: 'Guest' }, BY_TEST);
  const guest = createAgent(postern.url);
  const invitation = await guest.get(inviteUrl);
  const [form] = invitation.forms as [Form];
  form.fields = { ...form.fields, password: 'password' };
  await attack(guest, invitation, form, wrong);

  const person = await createPerson(postern);
  const agent = createAgent(postern.url);
  const first = await agent.get('/account');
  await attack(agent, first, first.forms.find(({ inputs }) => inputs.includes('login')) as Form, wrong);
  await postern.db.prisma.abuseCounter.deleteMany();
  const factor = await agent.submit(first, 'password', { login: person.email, password: person.password });
  await attack(agent, factor, factor.forms.find(({ inputs }) => inputs.includes('code')) as Form, wrong);
  const recovery = await agent.get(factor.url.replace(/factor$/, 'recovery'));
  await attack(agent, recovery, recovery.forms.find(({ inputs }) => inputs.includes('code')) as Form, wrong);
  expect(wrong).toEqual([]);
  expect(failures()).toEqual([]);
}, 60_000);

test('S92 every page bears anything in its query and in its path', async () => {
  const names = ['q', 'status', 'after', 'action', 'outcome', 'from', 'to', 'kind', 'state', 'client', 'user', 'token'];
  const more = ['return_to', 'code', 'iss', 'error', 'other', 'audience', 'actor', 'request', 'service_account'];
  const wrong: string[] = [];
  const pages = (await allRoutes(postern)).filter(({ method }) => method === 'GET');
  for (const { path } of pages) {
    const known = path.replace(/:\w+/g, admin.id);
    for (const value of HOSTILE.filter((value) => value.trim() !== '' && value.length < 1000)) {
      // All at once, and as a list: a page that reads one of them reads this value.
      const query = new URLSearchParams([...names, ...more].map((name): [string, string] => [name, value]));
      const page = await browser.get(`${known}?${query}`);
      const found = fault(page);
      if (found) wrong.push(`${path} ${JSON.stringify(value).slice(0, 40)}: ${found}`);
    }
    for (const query of [
      'q=1&q=2',
      'after=bmV3ZXIgMSBh',
      'after=b2xkZXIgOTk5OTk5OTk5OTk5OTkgJw',
      '%',
      'q=%ff',
      '&&=&',
      'q[]=1&q=2',
    ]) {
      const found = fault(await browser.get(`${known}?${query}`));
      if (found) wrong.push(`${path}?${query}: ${found}`);
    }
    if (!path.includes(':')) continue;
    for (const value of HOSTILE.filter((value) => /nul|onerror|passwd|%00/.test(value))) {
      // A lone surrogate has no percent-encoding.
      const found = fault(await browser.get(path.replace(/:\w+/g, encodeURIComponent(value.toWellFormed()))));
      if (found) wrong.push(`${path} with ${JSON.stringify(value).slice(0, 40)}: ${found}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(failures()).toEqual([]);
}, 60_000);

test('S95 names that would change how a line of the log reads stay encoded, there and on the page', async () => {
  const login = 'eve\r\n{"level":30,"msg":"forged"}\u001b[2J\u202eexample.com';
  const agent = createAgent(postern.url);
  const page = await agent.get('/account', { 'user-agent': 'Browser \u0085 with bidi' });
  await agent.submit(page, 'password', { login, password: 'x' });
  await agent.get(`/${encodeURIComponent('\r\nforged: line\u202e')}`);
  const text = postern.logged.map((line) => JSON.stringify(line)).join('\n');
  expect(postern.logged.some(({ msg }) => msg === 'forged')).toBe(false);
  for (const raw of ['\r', '\u001b', '\u202e']) expect(text.includes(raw)).toBe(false);
  const events = await postern.parts.events.recent('user.factor_used', 1);
  expect(JSON.stringify(events)).not.toContain('forged');
});
