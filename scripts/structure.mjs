// Checks the directions of .dependency-cruiser.cjs. dependency-cruiser reads TypeScript only through a compiler older
// than this project's, so it is shown the sources without their types, and with type imports turned into plain ones:
// a type that a file needs is a dependency like any other.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { cruise } from 'dependency-cruiser';

const root = path.resolve(import.meta.dirname, '..');
const rules = createRequire(import.meta.url)('../.dependency-cruiser.cjs');

/** @param {string} source */
function asJavaScript(source) {
  const plain = source.replace(/^import type /gm, 'import ').replace(/^export type (?=[{*])/gm, 'export ');
  return stripTypeScriptTypes(plain).replace(/((?:from|import)\s*\(?\s*['"]\.[^'"]*)\.ts(?=['"])/g, '$1.js');
}

const folder = mkdtempSync(path.join(tmpdir(), 'postern-structure-'));
try {
  for (const name of readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    const target = path.join(folder, 'src', name.replace(/\.ts$/, '.js'));
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, asJavaScript(readFileSync(path.join(root, 'src', name), 'utf8')));
  }
  writeFileSync(path.join(folder, 'package.json'), readFileSync(path.join(root, 'package.json')));
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  process.chdir(folder);
  const { output } = await cruise(['src'], {
    ...rules.options,
    baseDir: folder,
    validate: true,
    ruleSet: { forbidden: rules.forbidden },
  });
  if (typeof output === 'string') throw new Error(output);
  const { violations, totalCruised } = output.summary;
  for (const { from, to, rule, cycle } of violations) {
    const steps = cycle === undefined ? to : cycle.map(({ name }) => name).join(' → ');
    console.error(`${rule.name}: ${from} → ${steps}`.replaceAll('.js', '.ts'));
  }
  // Nothing seen is nothing checked.
  if (totalCruised < 50) throw new Error(`Only ${totalCruised} files were seen.`);
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  process.chdir(root);
  rmSync(folder, { recursive: true, force: true });
}
