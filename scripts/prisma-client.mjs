// Generates the Prisma client when the schema changed since it was last generated. No network: generation itself is
// WebAssembly, and the schema engine, which it does not use, would be the only download.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const LOCK_STALE_MS = 60_000;

/** @param {string} root */
function schemaHash(root) {
  const hash = createHash('sha256');
  const models = path.join(root, 'prisma/models');
  const files = ['schema.prisma', ...readdirSync(models).map((name) => `models/${name}`)];
  for (const file of files.filter((name) => name.endsWith('.prisma')).sort()) {
    hash.update(`${file}\0`).update(readFileSync(path.join(root, 'prisma', file)));
  }
  const installed = path.join(root, 'node_modules/prisma/package.json');
  if (existsSync(installed)) hash.update(JSON.parse(readFileSync(installed, 'utf8')).version);
  return hash.digest('hex');
}

/**
 * Two commands may start at once; one generates, the other waits.
 * @param {string} lock
 */
async function acquire(lock) {
  for (;;) {
    try {
      mkdirSync(lock);
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > LOCK_STALE_MS) rmdirSync(lock);
    else await wait(100);
  }
}

/** @param {{ root: string, node: string }} where */
export async function ensureClient({ root, node }) {
  const folder = path.join(root, 'src/generated');
  const stamp = path.join(folder, '.schema-hash');
  const fresh = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === schemaHash(root);
  if (fresh()) return;

  const cli = path.join(root, 'node_modules/prisma/build/index.js');
  if (!existsSync(cli)) {
    throw new Error('The Prisma client has to be generated, which needs the development dependencies: run "npm ci".');
  }
  mkdirSync(folder, { recursive: true });
  const lock = path.join(folder, '.lock');
  await acquire(lock);
  try {
    if (fresh()) return;
    const hash = schemaHash(root);
    const result = spawnSync(node, [cli, 'generate', '--no-hints'], {
      cwd: root,
      encoding: 'utf8',
      env: {
        ...process.env,
        // Any file that exists keeps the engine from being downloaded.
        PRISMA_SCHEMA_ENGINE_BINARY: node,
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    });
    if (result.status !== 0) {
      throw new Error(`The Prisma client could not be generated:\n${result.stdout ?? ''}${result.stderr ?? ''}`);
    }
    writeFileSync(stamp, hash);
  } finally {
    rmdirSync(lock);
  }
}
