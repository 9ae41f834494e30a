import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const guide = readFileSync(path.join(root, 'docs/guides/on-behalf-of.md'), 'utf8');
const blocks = (kind: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);

let postern: Postern;
beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

/** Runs a block of the guide in a shell; `npm run --silent postern --` is this tree's command line. */
async function shell(block: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const npm = `npm() { shift 4; "${process.execPath}" --disable-warning=ExperimentalWarning src/main.ts "$@"; }\nset -e\n`;
  const { stdout } = await run('sh', ['-c', npm + block], {
    cwd: root,
    env: { PATH: process.env.PATH, ...testEnvironment(postern.databaseUrl), ...env },
  });
  return stdout;
}

test('the commands of the guide make an exchanged token, and take the rule back', async () => {
  const [orders, billing, deny] = blocks('sh');
  const credentials = async (block: string | undefined) => {
    const [, id = '', secret = ''] = /client_id: (\S+)\nclient_secret: (\S+)/.exec(await shell(block ?? '')) ?? [];
    return { id, secret };
  };
  const its = await credentials(orders);
  const theirs = await credentials(billing);
  const env = {
    ISSUER: postern.url,
    ORDERS_ID: its.id,
    ORDERS_SECRET: its.secret,
    BILLING_ID: theirs.id,
    BILLING_SECRET: theirs.secret,
  };
  const ask = async () => JSON.parse(await shell(blocks('sh curl').join('\n'), env));
  const answer = await ask();
  const [shown = ''] = blocks('json');
  expect(Object.keys(answer).sort()).toEqual(Object.keys(JSON.parse(shown)).sort());
  expect(decodeJwt(answer.access_token)).toMatchObject({
    sub: theirs.id,
    client_id: its.id,
    aud: 'https://stock.example.com',
    act: { sub: its.id },
  });
  await shell(deny ?? '');
  expect((await ask()).error).toBe('invalid_target');
});
