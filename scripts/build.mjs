// Compiles src to dist when the sources changed. Started from there, the program is ready sooner and holds 20 MB less
// than when Node strips the types itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** @param {string} root */
function sourceHash(root) {
  const hash = createHash('sha256');
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => path.join('src', name));
  for (const file of [...sources.sort(), 'tsconfig.json', 'tsconfig.build.json']) {
    const { size, mtimeMs } = statSync(path.join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex');
}

/**
 * Throws where the sources don't compile.
 * @param {{ root: string, node: string, check: boolean }} options `check`: types are checked too
 */
export function build({ root, node, check }) {
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  if (!existsSync(compiler)) throw new Error('Compiling needs the development dependencies: run "npm ci".');
  const hash = sourceHash(root);
  // In the same folder: what imports by a relative path must find it from both.
  const temporary = mkdtempSync(path.join(root, '.dist-'));
  try {
    const flags = ['-p', path.join(root, 'tsconfig.build.json'), '--outDir', temporary, '--noEmitOnError'];
    const result = spawnSync(node, [compiler, ...flags, ...(check ? [] : ['--noCheck'])], { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`The sources don't compile:\n${result.stdout}${result.stderr}`);
    writeFileSync(path.join(temporary, '.source-hash'), hash);
    rmSync(path.join(root, 'dist'), { recursive: true, force: true });
    renameSync(temporary, path.join(root, 'dist'));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * The program's entrance: compiled where that can be had, else as it stands.
 * @param {{ root: string, node: string }} where
 */
export function entrance({ root, node }) {
  const compiled = path.join(root, 'dist/main.js');
  const source = path.join(root, 'src/main.ts');
  if (!existsSync(source)) return compiled;
  const stamp = path.join(root, 'dist/.source-hash');
  try {
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== sourceHash(root)) build({ root, node, check: false });
    return compiled;
  } catch {
    // No compiler, a folder that can't be written to, two starts at once: Node runs the source itself, and says what is
    // wrong with it.
    return source;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  build({ root: path.resolve(import.meta.dirname, '..'), node: process.execPath, check: true });
}
