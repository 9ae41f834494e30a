import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { testFolder } from '../support/database.ts';
import { BY_TEST, createApplication, createPerson, type Person, signInAndAllow } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { setProtocol } from '../support/requests.ts';

const root = path.resolve(import.meta.dirname, '../..');
let postern: Postern;
let person: Person;
let agent: Agent;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  agent = createAgent(postern.url);
  folder = mkdtempSync(path.join(testFolder(), 'high-security-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const text = readFileSync(path.join(root, 'docs/guides/high-security-clients.md'), 'utf8');
  for (const [, name = '', code = ''] of text.matchAll(/^```js file=(\S+)\n(.*?)^```$/gms)) {
    writeFileSync(path.join(folder, name), code);
  }
  await promisify(execFile)(process.execPath, ['keys.mjs'], { cwd: folder });
});
afterAll(async () => {
  for (const child of children) child.kill();
  await postern.close();
});

/** An application with the keys that the guide's program made, and these switches. */
async function register(switches: Record<string, boolean>) {
  const application = await createApplication(postern);
  const jwks = readFileSync(path.join(folder, 'keys.json'), 'utf8');
  const { clientId } = application;
  await postern.parts.applications.useKeys(clientId, { jwks, use: 'authentication' }, BY_TEST);
  await setProtocol(postern, clientId, switches);
  return application;
}

/** Runs a program of the guide; its first line is where the browser goes, its last what it got. */
async function signInWith(name: string, switches: Record<string, boolean>): Promise<{ asked: URL; said: string }> {
  const { clientId, redirectUri } = await register(switches);
  const child = spawn(process.execPath, [name], {
    cwd: folder,
    env: { ISSUER: postern.url, CLIENT_ID: clientId, REDIRECT_URI: redirectUri },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const asked = new URL(String((await lines.next()).value));
  const page = await agent.get(asked.href);
  const back = page.leaves ? page : await signInAndAllow(agent, page, person);
  child.stdin.write(String(back.leaves?.href));
  return { asked, said: String((await lines.next()).value) };
}

test('S24 the FAPI example signs a person in', async () => {
  const { asked, said } = await signInWith('fapi.mjs', { requirePushedRequests: true, dpopBound: true, fapi: true });
  expect([...asked.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
  expect(said).toBe(`dpop ${person.email}`);
});

test('S25 the example with signed requests and answers does', async () => {
  const { asked, said } = await signInWith('signed.mjs', { requireSignedRequests: true, signedResponses: true });
  expect([...asked.searchParams.keys()].sort()).toEqual(['client_id', 'request']);
  expect(said).toBe(`bearer ${person.id}`);
});
