// Writes the pages of docs/ that come from the code; with --check it only says which of them are stale.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { cliPage } from './cli.ts';
import { settingsPage } from './settings.ts';

const folder = path.resolve(import.meta.dirname, '../../docs');

export const pages: Record<string, () => string> = { 'settings.md': settingsPage, 'cli.md': cliPage };

function current(name: string): string {
  try {
    return readFileSync(path.join(folder, name), 'utf8');
  } catch {
    return '';
  }
}

/** Names of the pages whose file is not what the code says. */
export function stalePages(): string[] {
  return Object.entries(pages).flatMap(([name, page]) => (page() === current(name) ? [] : [name]));
}

if (import.meta.main) {
  const stale = stalePages();
  if (process.argv.includes('--check')) {
    for (const name of stale) console.error(`docs/${name} is stale: run "node scripts/run.mjs docs".`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const name of stale) {
      writeFileSync(path.join(folder, name), pages[name]?.() ?? '');
      console.log(`Wrote docs/${name}.`);
    }
  }
}
