import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Surroundings } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { initialToken } from '../support/registration.ts';

const guide = readFileSync(path.join(import.meta.dirname, '../../docs/guides/registration.md'), 'utf8');
const commands = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
  block.replaceAll(/\\\n\s*/g, '').split('\n'),
);
const [, make = '', list = '', revoke = '', register = '', read = '', change = '', remove = ''] = commands.filter(
  (line) => line !== '',
);

let postern: Postern;
beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_REGISTRATION: 'token' } });
});
afterAll(() => postern.close());

/** Runs a line of the guide, and answers what it prints for programs. */
async function cli(line: string, more: string[] = []): Promise<{ status: number; json: Record<string, unknown> }> {
  let out = '';
  const surroundings: Surroundings = {
    env: testEnvironment(postern.databaseUrl),
    osUser: 'ada',
    out: async (text) => {
      out += text;
    },
    err: async () => undefined,
    readInput: async () => '',
    readFile: async () => '',
  };
  const words = line.replace('npm run --silent postern -- ', '').replaceAll("'", '').split(' ');
  const status = await runCli([...words, ...more, '--json'], surroundings);
  return { status, json: out.startsWith('{') ? JSON.parse(out) : {} };
}

async function shell(line: string, env: Record<string, string>): Promise<Record<string, unknown>> {
  const command = line.replace('https://id.example.com', postern.url);
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { PATH: process.env.PATH, ...env } });
  return stdout === '' ? {} : JSON.parse(stdout);
}

test('the commands make a token with that policy, list it and revoke it', async () => {
  const soon = new Date(Date.now() + 7 * 86_400_000).toISOString();
  const made = await cli(make.replace(/--expires \S+/, `--expires ${soon}`));
  expect(made).toEqual({
    status: 0,
    json: expect.objectContaining({
      name: 'partners',
      uses: 5,
      token: expect.stringMatching(/^pia_/),
      policy: expect.objectContaining({
        application_types: ['web'],
        auth_methods: ['client_secret_basic', 'private_key_jwt'],
        redirect_hosts: ['*.example.com'],
        permissions: [],
      }),
    }),
  });
  const id = String(made.json.id);
  expect((await cli(list)).json.registration_tokens).toEqual([expect.objectContaining({ id, state: 'active' })]);
  expect(JSON.stringify((await cli(list)).json)).not.toContain(String(made.json.token));
  expect((await cli(revoke.replace('ID', id))).json).toMatchObject({ id, state: 'revoked' });
  expect((await cli(revoke.replace('ID', id))).status).not.toBe(0);
});

test('the requests register, read, change and remove an application', async () => {
  const { token } = await initialToken(postern);
  const made = await shell(register, { INITIAL_ACCESS_TOKEN: token });
  const env = (answer: Record<string, unknown>) => ({
    CLIENT_ID: String(answer.client_id),
    REGISTRATION_CLIENT_URI: String(answer.registration_client_uri),
    REGISTRATION_ACCESS_TOKEN: String(answer.registration_access_token),
  });
  expect(await shell(read, env(made))).toMatchObject({ client_id: made.client_id, client_name: 'Shop' });
  const changed = await shell(change, env(made));
  expect(changed.redirect_uris).toEqual(['https://shop.example.com/cb']);
  expect(await shell(remove, env(changed))).toEqual({});
  expect(await postern.parts.applications.byClientId(String(made.client_id))).toBeNull();
});
