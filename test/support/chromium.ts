import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const modules = join(import.meta.dirname, '../../node_modules');
const cache = join(modules, '.cache/postern-chromium');
const archives = join(modules, '@sparticuz/chromium/bin');
const packageMain = join(modules, '@sparticuz/chromium/build/index.js');
const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts a headless Chromium: CHROMIUM_PATH, the one from npm (Linux x64), or one of the system's. */
export async function launchChromium(): Promise<Browser> {
  const { path, env } = await findChromium();
  // Of the npm package's own arguments none but this: the others switch the browser's protections off.
  return chromium.launch({ executablePath: path, args: ['--no-sandbox'], env });
}

async function findChromium(): Promise<{ path: string; env: Record<string, string> }> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  if (env.CHROMIUM_PATH) return { path: env.CHROMIUM_PATH, env };
  if (process.platform === 'linux' && process.arch === 'x64' && existsSync(archives)) {
    if (!existsSync(join(cache, 'chromium'))) await unpack();
    const libraries = [join(cache, 'al2023/lib'), env.LD_LIBRARY_PATH].filter(Boolean).join(':');
    return {
      path: join(cache, 'chromium'),
      env: { ...env, FONTCONFIG_PATH: join(cache, 'fonts'), LD_LIBRARY_PATH: libraries },
    };
  }
  const path = SYSTEM.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error('no Chromium: set CHROMIUM_PATH to the binary of one');
  return { path, env };
}

/** Into a folder of its own first, so that processes that start together never see half of it. */
async function unpack(): Promise<void> {
  mkdirSync(join(modules, '.cache'), { recursive: true });
  const made = mkdtempSync(join(modules, '.cache/chromium-'));
  const names = ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br'];
  const files = names.map((name) => join(archives, name));
  const script = `const { inflate } = await import(${JSON.stringify(pathToFileURL(packageMain).href)});
    await Promise.all(${JSON.stringify(files)}.map(inflate));`;
  // The package unpacks into the system's temporary folder, which only the environment of a whole process can name:
  // Jest gives tests a copy of it.
  const env = { ...process.env, TMPDIR: made };
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env });
  try {
    renameSync(made, cache);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(join(cache, 'chromium'))) throw error;
  }
}
