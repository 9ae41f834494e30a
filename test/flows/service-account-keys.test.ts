import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CryptoKey } from 'jose';
import type { Surroundings } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run.ts';
import { assertion, createSigner, pairOf, sendAssertion } from '../support/assertions.ts';
import type { Agent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { clientCredentials } from '../support/oauth.ts';
import { createApi, createPerson } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let browser: Agent;
let permission: string;

beforeAll(async () => {
  postern = await startPostern();
  permission = `${await createApi(postern, ['read'])}#read`;
  browser = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
});
afterAll(() => postern.close());

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'orders-1' };
const setOf = (...keys: object[]) => JSON.stringify({ keys });

describe('on the pages', () => {
  const create = async (values: Record<string, string>) =>
    browser.submit(await browser.get('/admin/service-accounts/new'), 'jwks', {
      'permissions[]': permission,
      ...values,
    });

  test('a secret is what is chosen at first, and is shown once', async () => {
    const page = await browser.get('/admin/service-accounts/new');
    const form = page.forms.find(({ inputs }) => inputs.includes('jwks'));
    expect(form?.fields.auth).toBe('secret');
    const shown = await browser.submit(page, 'jwks', { name: 'by-secret' });
    expect(shown.text).toContain('Service account created');
    expect(shown.html).toMatch(/pst_[\w-]{49}/);
  });

  test('an account with keys is created without a secret, and its keys are shown', async () => {
    const shown = await create({ name: 'by-keys', auth: 'private_key_jwt', jwks: setOf(jwk) });
    expect(shown.url).toMatch(/\/admin\/service-accounts\/[0-9a-f-]{36}$/);
    expect(shown.html).not.toContain('pst_');
    for (const text of ['Signed assertions', 'orders-1', 'EC P-256', 'ES256', 'Replace keys', postern.url]) {
      expect(shown.text).toContain(text);
    }
    const account = await postern.parts.serviceAccounts.find('by-keys');
    expect(shown.text).toContain(account?.keys[0]?.thumbprint);
    for (const text of ['Rotate secret', 'No secret works']) expect(shown.text).not.toContain(text);
  });

  test('what is wrong with the keys is said beside them, and a private key is not sent back', async () => {
    const set = setOf({ kty: 'EC', crv: 'P-521' });
    const refused = await create({ name: 'wrong', auth: 'private_key_jwt', jwks: set });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('Key 1 is of a kind that is not supported.');
    const form = refused.forms.find(({ inputs }) => inputs.includes('jwks'));
    expect(form?.fields).toMatchObject({ name: 'wrong', auth: 'private_key_jwt' });
    expect(form?.fields.jwks?.trim()).toBe(set);

    const secret = { ...jwk, ...privateKey.export({ format: 'jwk' }) };
    const leaked = await create({ name: 'wrong', auth: 'private_key_jwt', jwks: setOf(jwk, secret) });
    expect(leaked.status).toBe(422);
    expect(leaked.text).toContain('Key 2 holds its private part.');
    expect(leaked.html).not.toContain(secret.d);
    expect(JSON.stringify(postern.logged)).not.toContain(secret.d);

    const unasked = await create({ name: 'wrong', auth: 'secret', jwks: setOf(jwk) });
    expect(unasked.text).toContain('Keys are for signed assertions.');
    expect((await create({ name: 'wrong', auth: 'none', jwks: '' })).status).toBe(422);
    expect(await postern.parts.serviceAccounts.find('wrong')).toBeNull();
  });

  test('keys are replaced, and the method is changed there and back', async () => {
    const signer = await createSigner(postern, permission);
    const path = `/admin/service-accounts/${signer.id}`;
    const signs = async (key: CryptoKey) =>
      (await sendAssertion(postern.url, await assertion({ ...signer, privateKey: key }))).status;
    const next = await pairOf('ES256');
    expect(await signs(signer.privateKey)).toBe(200);

    const replaced = await browser.submit(await browser.get(`${path}/keys`), 'jwks', { jwks: setOf(next.jwk) });
    expect(replaced.text).toContain('The keys were replaced.');
    await until(async () => (await signs(next.privateKey)) === 200);
    expect(await signs(signer.privateKey)).toBe(401);

    const stale = await browser.get(`${path}/keys`);
    const shown = await browser.submit(await browser.get(path), '/use-secret');
    const secret = /pst_[\w-]{49}/.exec(shown.html)?.[0] ?? '';
    await until(async () => (await clientCredentials(postern.url, { ...signer, secret })).status === 200);
    expect(await signs(next.privateKey)).toBe(401);
    const late = await browser.submit(stale, 'jwks', { jwks: setOf(signer.jwk) });
    expect(late.status).toBe(409);
    expect(late.text).toContain('This account proves itself with a secret');

    const page = await browser.get(`${path}/keys`);
    expect(page.text).toContain('Its secrets stop working at once.');
    const wrong = await browser.submit(page, 'jwks', { jwks: '[]' });
    expect(wrong.text).toContain('This is not a JWK Set.');
    const switched = await browser.submit(wrong, 'jwks', { jwks: setOf(signer.jwk) });
    expect(switched.text).toContain('The account proves itself with its keys now');
    await until(async () => (await signs(signer.privateKey)) === 200);
    expect((await clientCredentials(postern.url, { ...signer, secret })).status).toBe(401);
  });
});

describe('on the command line', () => {
  async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
    const written = { out: '', err: '' };
    const surroundings: Surroundings = {
      env: testEnvironment(postern.databaseUrl),
      osUser: 'ada',
      async out(text) {
        written.out += text;
      },
      async err(text) {
        written.err += text;
      },
      readInput: async () => '',
      readFile: async () => setOf(jwk),
    };
    return { status: await runCli(argv, surroundings), ...written };
  }

  /** The program itself, with its files and its standard output. */
  async function program(...argv: string[]): Promise<{ status: number; json: Record<string, unknown> }> {
    const main = join(import.meta.dirname, '../../src/main.ts');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...argv, '--json'], {
      env: { PATH: process.env.PATH, ...testEnvironment(postern.databaseUrl) },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const [status] = (await once(child, 'close')) as [number];
    return { status, json: JSON.parse(out) };
  }

  const create = ['service-account', 'create', '--auth', 'private_key_jwt', '--jwks', 'keys.json'];

  test('an account with keys has no secret to print, and none to rotate', async () => {
    const made = await run(...create, '--name', 'from-cli', '--permission', permission, '--json');
    expect(made.status).toBe(0);
    const account = await postern.parts.serviceAccounts.find('from-cli');
    expect(JSON.parse(made.out)).toEqual({ id: account?.id, client_id: account?.clientId });
    expect(account?.keys.map(({ kid }) => kid)).toEqual(['orders-1']);

    const rotated = await run('service-account', 'rotate-secret', 'from-cli');
    expect(rotated).toMatchObject({ status: 1, out: '' });
    expect(rotated.err).toContain('proves itself with signed assertions (private_key_jwt) and has no secret');
    const json = await run('service-account', 'rotate-secret', 'from-cli', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'service_accounts.uses_keys' } });

    const text = await run(...create, '--name', 'from-cli-too');
    expect(text.out).toMatch(/^client_id: svc_\w+\n$/);
    expect(text.err).toBe('');
  });

  test('a file is read by the program, and what is wrong with it is said', async () => {
    const file = join(postern.dataDir, 'keys.json');
    writeFileSync(file, setOf({ ...jwk, ...privateKey.export({ format: 'jwk' }) }));
    const cli = (path: string) =>
      program('service-account', 'create', '--name', 'x', '--auth', 'private_key_jwt', '--jwks', path);
    expect(await cli(file)).toEqual({
      status: 1,
      json: {
        error: expect.objectContaining({ fields: { jwks: expect.stringContaining('Key 1 holds its private') } }),
      },
    });
    const usage = (message: string) => ({
      status: 2,
      json: { error: { code: 'usage', message: expect.stringContaining(message) } },
    });
    expect(await cli(`${file}.absent`)).toEqual(usage('can not be read (ENOENT)'));
    writeFileSync(file, ' '.repeat(70_000));
    expect(await cli(file)).toEqual(usage('is longer than 64 KiB'));
    writeFileSync(file, setOf(jwk));
    expect(await cli(file)).toEqual({ status: 0, json: { id: expect.any(String), client_id: expect.any(String) } });
  });
});
