import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { SERVER_FLAGS, serverEnvironment } from '../../scripts/server-process.mjs';

const ROOT = path.join(import.meta.dirname, '../..');

/** Of one password, in KiB. */
const HASH_KIB = 19_456;

/** Hashes until each thread of the pool had its turn; prints by how many KiB the process's own memory grew. */
const HASHING = `
  const { readFileSync } = await import('node:fs');
  const { argon2id, hash } = await import('argon2');
  const own = () => Number(/^Anonymous:\\s+(\\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]);
  const some = () => Promise.all(Array.from({ length: 4 }, () => hash('a password', { type: argon2id, memoryCost: ${HASH_KIB} })));
  const before = own();
  for (let round = 0; round < 4; round += 1) await some();
  console.log(own() - before);
`;

const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };

(header.glibcVersionRuntime === undefined ? test.skip : test)(
  'what passwords were hashed in is given back to the system',
  async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...SERVER_FLAGS, '--input-type=module', '-e', HASHING],
      { cwd: ROOT, env: { PATH: process.env.PATH, ...serverEnvironment({}) } },
    );
    expect(Number(stdout)).toBeLessThan(HASH_KIB);
  },
);

test('what an operator says about memory stays', () => {
  expect(serverEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=1' })).toEqual({
    GLIBC_TUNABLES: 'glibc.malloc.arena_max=1',
  });
});

test('the image starts the server as "npm start" does', () => {
  const file = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');
  const entrypoint: unknown = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(file)?.[1] ?? 'null');
  expect(entrypoint).toEqual(['node', ...SERVER_FLAGS, 'dist/main.js']);
  for (const [name, value] of Object.entries(serverEnvironment({}))) expect(file).toContain(`ENV ${name}=${value}\n`);
});
