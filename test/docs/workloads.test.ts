import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { Surroundings } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run.ts';
import { testFolder } from '../support/database.ts';
import { BY_TEST } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { until } from '../support/until.ts';
import {
  bear,
  githubToken,
  kubernetesToken,
  startIssuer,
  svidToken,
  type WorkloadIssuer,
} from '../support/workload-issuer.ts';

const guide = readFileSync(path.join(import.meta.dirname, '../../docs/guides/workloads.md'), 'utf8');
const STOCK = 'https://stock.example.com';

let postern: Postern;
let issuer: WorkloadIssuer;

beforeAll(async () => {
  issuer = await startIssuer();
  postern = await startPostern({ env: { POSTERN_OUTGOING_ALLOW: issuer.host } });
  await postern.parts.access.apis.create({ audience: STOCK, permissions: [{ name: 'read' }] }, BY_TEST);
  for (const name of ['billing', 'deploy']) {
    await postern.parts.serviceAccounts.create({ name, permissions: [`${STOCK}#read`] }, BY_TEST);
  }
});
afterAll(async () => {
  await postern.close();
  await issuer.close();
});

/** The guide's command lines that hold these words, each as one line. */
function linesWith(words: string): string[] {
  const blocks = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block.replaceAll(/\\\n\s*/g, ''));
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line.includes(words));
}

test('the commands that trust a workload work, and its platform’s token is taken afterwards', async () => {
  const tokens: Record<string, () => Promise<string>> = {
    kubernetes: () => kubernetesToken(issuer, { namespace: 'shop', account: 'billing', audience: postern.url }),
    github_actions: () => githubToken(issuer, postern.url, { environment: 'production' }),
    spiffe: () => svidToken(issuer, 'spiffe://example.org/ns/shop/sa/billing', postern.url),
  };
  const surroundings: Surroundings = {
    env: testEnvironment(postern.databaseUrl),
    osUser: 'ada',
    out: async () => undefined,
    err: async (text) => {
      throw new Error(text);
    },
    readInput: async () => '',
    readFile: async () => JSON.stringify({ keys: issuer.publicKeys() }),
  };
  const commands = linesWith('trust create');
  expect(commands).toHaveLength(Object.keys(tokens).length);
  for (const line of commands) {
    const words = line.replace('npm run --silent postern -- ', '').split(' ');
    const at = words.indexOf('--issuer');
    // The one thing that differs here: where the platform stands.
    const argv = [...(at < 0 ? words : words.toSpliced(at, 2)), '--issuer', issuer.url, '--audience', postern.url];
    expect(await runCli(argv, surroundings)).toBe(0);
    const preset = words[words.indexOf('--preset') + 1] ?? '';
    await until(async () => (await bear(postern.url, await (tokens[preset]?.() ?? ''))).status === 200);
  }
});

test('the request of a pod works as it stands', async () => {
  const [line = ''] = linesWith('assertion@');
  const file = path.join(mkdtempSync(path.join(testFolder(), 'pod-')), 'token');
  const workload = { namespace: 'shop', account: 'curl', audience: postern.url };
  const account = await postern.parts.serviceAccounts.find('billing');
  const trusted = { preset: 'kubernetes', name: 'pod', issuer: issuer.url, ...workload } as const;
  await postern.parts.workloadTrusts.create(account?.id ?? '', trusted, BY_TEST);
  writeFileSync(file, await kubernetesToken(issuer, workload));
  const command = line.replace('/var/run/secrets/postern/token', file);
  const env = { PATH: process.env.PATH, ISSUER: postern.url };
  await until(async () => (await bear(postern.url, readFileSync(file, 'utf8'))).status === 200);
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env });
  expect(decodeJwt(JSON.parse(stdout).access_token)).toMatchObject({ aud: STOCK, scope: 'read' });
});
