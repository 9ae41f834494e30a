import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { createAgent } from '../support/browserless.ts';
import { testFolder } from '../support/database.ts';
import { BY_TEST, createApplication, createPerson, signInAndAllow } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const root = path.resolve(import.meta.dirname, '../..');
let postern: Postern;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  postern = await startPostern();
  folder = mkdtempSync(path.join(testFolder(), 'guides-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  for (const guide of ['connect-an-application.md', 'services.md', 'sender-constrained-tokens.md'])
    writeExamples(guide);
  writeReadme();
});

afterAll(async () => {
  for (const child of children) child.kill();
  await postern.close();
});

/** Each fenced block that names a file becomes that file. */
function writeExamples(guide: string): void {
  const text = readFileSync(path.join(root, 'docs/guides', guide), 'utf8');
  for (const [, name = '', code = ''] of text.matchAll(/^```js file=(\S+)\n(.*?)^```$/gms)) {
    writeFileSync(path.join(folder, name), code);
  }
}

/** The README's lines stand alone once the browser's part is given to them: the way there, and the way back. */
function writeReadme(): void {
  const text = readFileSync(path.join(root, 'README.md'), 'utf8');
  const code = /^```js\n(.*?)^```$/ms.exec(text)?.[1] ?? '';
  const given = `import { once } from 'node:events';
const { CLIENT_ID, CLIENT_SECRET, redirect_uri } = process.env;
const redirect = (url) => console.log(url.href);
`;
  const back = 'const currentUrl = new URL(String(await once(process.stdin, "data")));process.stdin.unref();\n';
  const program = code
    .replace('http://localhost:3000', postern.url)
    .replace(/^\/\/ … the browser comes back.*\n/m, back);
  writeFileSync(path.join(folder, 'readme.mjs'), given + program);
}

/** Starts an example as a program of its own; its lines are read one after the other. */
function start(name: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [path.join(folder, name)], {
    env: { ISSUER: postern.url, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    say: (text: string) => child.stdin.write(text),
    async line(): Promise<string> {
      return String((await lines.next()).value);
    },
  };
}

let stockMade: Promise<unknown> | undefined;

/** The API of the guides, made by whichever test is the first to need it. */
async function stockApi(): Promise<string> {
  const audience = 'https://stock.example.com';
  const permissions = ['read', 'write', 'introspect'].map((name) => ({ name, description: '' }));
  stockMade ??= postern.parts.access.apis.create({ audience, permissions }, BY_TEST);
  await stockMade;
  return audience;
}

test('a web application signs a person in, refreshes and signs out', async () => {
  const person = await createPerson(postern);
  const port = String(await freePort());
  const home = `http://localhost:${port}`;
  const { clientId, secret = '' } = await postern.parts.applications.create(
    {
      name: 'Shop',
      type: 'web',
      redirectUris: [`${home}/callback`],
      postLogoutRedirectUris: [`${home}/`],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
    },
    BY_TEST,
  );
  const shop = start('web.mjs', { CLIENT_ID: clientId, CLIENT_SECRET: secret, PORT: port });
  expect(await shop.line()).toBe(`Shop at ${home}`);

  const here = createAgent(home);
  const there = createAgent(postern.url);
  const away = (await here.get('/sign-in')).leaves;
  const back = await signInAndAllow(there, await there.get(String(away)), person);
  expect((await here.get(String(back.leaves))).html).toBe(`Signed in as ${person.name} <${person.email}>\n`);
  expect((await here.get('/refresh')).html).toBe('Refreshed\n');
  expect((await here.get('/')).html).toBe(`Signed in as ${person.name} <${person.email}>\n`);

  const confirm = await there.get(String((await here.get('/sign-out')).leaves));
  const out = await there.submit(confirm, '/confirm', { logout: 'yes' });
  expect(out.leaves?.href).toBe(`${home}/`);
  expect((await here.get('/')).html).toBe('Sign in at /sign-in\n');
});

test('a native application comes back to whichever port it listens on', async () => {
  const person = await createPerson(postern);
  const { clientId } = await postern.parts.applications.create(
    { name: 'Shop for desks', type: 'native', redirectUris: ['http://127.0.0.1/callback'] },
    BY_TEST,
  );
  const program = start('native.mjs', { CLIENT_ID: clientId });
  const address = (await program.line()).replace('Open ', '');
  const browser = createAgent(postern.url);
  const back = await signInAndAllow(browser, await browser.get(address), person);
  expect(await (await fetch(String(back.leaves))).text()).toBe('You can close this window.\n');
  expect(await program.line()).toBe(`Signed in as ${person.name}`);
});

test('a service calls another one, which verifies the token by itself', async () => {
  const audience = await stockApi();
  const service = async (name: string, permission: string) => {
    const { clientId, secret } = await postern.parts.serviceAccounts.create(
      { name, permissions: [permission] },
      BY_TEST,
    );
    return { CLIENT_ID: clientId, CLIENT_SECRET: secret };
  };
  const port = String(await freePort());
  const stock = start('stock.mjs', { PORT: port });
  const STOCK_URL = (await stock.line()).replace('Stock at ', '');
  const billing = await service('billing', `${audience}#read`);

  expect(await start('call.mjs', { ...billing, STOCK_URL }).line()).toBe(`200 3 items for ${billing.CLIENT_ID}`);
  expect((await fetch(`${STOCK_URL}/items`, { headers: { authorization: 'Bearer e30.e30.AA' } })).status).toBe(401);
});

test('a service sends a token that is bound to its key, and the other one takes no other', async () => {
  const audience = await stockApi();
  const service = async (name: string) =>
    postern.parts.serviceAccounts.create({ name, permissions: [`${audience}#read`] }, BY_TEST);
  const port = String(await freePort());
  const stock = start('bound-stock.mjs', { PORT: port });
  const STOCK_URL = (await stock.line()).replace('Stock at ', '');
  const { clientId: CLIENT_ID, secret: CLIENT_SECRET } = await service('shipping');
  const said = await start('bound-call.mjs', { CLIENT_ID, CLIENT_SECRET, STOCK_URL }).line();
  expect(said).toBe(`dpop 200 3 items for ${CLIENT_ID}`);
  // The example for bearer tokens, at the same service.
  const plain = await start('call.mjs', { CLIENT_ID, CLIENT_SECRET, STOCK_URL }).line();
  expect(plain).toBe('401 invalid_token');
});

test("the README's lines sign a person in", async () => {
  const person = await createPerson(postern);
  const redirect_uri = 'https://app.example.com/callback';
  const { clientId, secret = '' } = await postern.parts.applications.create(
    { name: 'App', type: 'web', redirectUris: [redirect_uri] },
    BY_TEST,
  );
  const program = start('readme.mjs', { CLIENT_ID: clientId, CLIENT_SECRET: secret, redirect_uri });
  const browser = createAgent(postern.url);
  const back = await signInAndAllow(browser, await browser.get(await program.line()), person);
  program.say(String(back.leaves));
  expect(await program.line()).toBe(`${person.id} ${person.email}`);
});

test('the scanner of the guide finds secrets of ours, and no look-alikes', async () => {
  const application = await createApplication(postern);
  const lookAlike = `pst_${'a'.repeat(49)}`;
  const child = spawn(process.execPath, [path.join(folder, 'find-secrets.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  child.stdin.end(`CLIENT_SECRET=${application.secret}\n"${lookAlike}", pst_short`);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  expect(lines).toEqual([application.secret]);
});
