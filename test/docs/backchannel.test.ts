import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseDetailSchema } from '../../src/kernel/detail-schema.ts';
import { createBackchannelWorld, decide } from '../support/backchannel.ts';
import { browserOf } from '../support/console.ts';
import { testFolder } from '../support/database.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const root = path.resolve(import.meta.dirname, '../..');
let postern: Postern;

beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

function codeIn(guide: string, name: string): string {
  const text = readFileSync(path.join(root, 'docs/guides', guide), 'utf8');
  const code = new RegExp(`^\`\`\`\\w+ file=${name}\\n(.*?)^\`\`\`$`, 'ms').exec(text)?.[1];
  if (code === undefined) throw new Error(`${guide} has no ${name}`);
  return code;
}

test('the example asks a person, who allows it on another device', async () => {
  const { application, person } = await createBackchannelWorld(postern);
  const folder = mkdtempSync(path.join(testFolder(), 'backchannel-'));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  writeFileSync(path.join(folder, 'ask.mjs'), codeIn('backchannel-authentication.md', 'ask.mjs'));
  const { clientId: CLIENT_ID, secret: CLIENT_SECRET } = application;
  const child = spawn(process.execPath, ['ask.mjs'], {
    cwd: folder,
    env: { ISSUER: postern.url, CLIENT_ID, CLIENT_SECRET, PERSON: person.email },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('asked, for 300 seconds');
    const { page } = await decide(await browserOf(postern, person, '/account/approvals'), 'allow');
    expect(page.text).toContain('Till 4, W4SCT');
    expect((await lines.next()).value).toBe(`allowed by ${person.email}`);
  } finally {
    child.kill();
  }
}, 20_000);

test('the schema of the guide to authorization details is taken', () => {
  const parsed = parseDetailSchema(codeIn('high-security-clients.md', 'payment.json'));
  expect(parsed).toMatchObject({ schema: { required: ['amount', 'currency', 'payee'] } });
});
