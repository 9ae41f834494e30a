// Everything that can be told without running the product. Each part runs, whatever the others say.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname, '..');
const modules = path.join(root, 'node_modules');

/** @type {[name: string, args: string[]][]} */
const parts = [
  ['types', [path.join(modules, 'typescript/bin/tsc'), '--project', root]],
  ['format and lint', [path.join(modules, '@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', root]],
  ['structure', ['--disable-warning=ExperimentalWarning', path.join(root, 'scripts/structure.mjs')]],
  ['unused code', [path.join(modules, 'knip/bin/knip.js'), '--no-progress', '--treat-config-hints-as-errors']],
  ['migrations', [path.join(root, 'scripts/migrations.ts'), 'diff']],
  ['pages made from the code', [path.join(root, 'scripts/docs/generate.ts'), '--check']],
];

/**
 * @param {string[]} args
 * @returns {Promise<{ status: number, output: string }>}
 */
function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ status: 1, output: error.message }));
    child.on('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

let failed = false;
for (const [name, args] of parts) {
  const startedAt = performance.now();
  const { status, output } = await run(args);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status !== 0) {
    failed = true;
    console.log(output.trimEnd());
  }
}
process.exit(failed ? 1 : 0);
