import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { lchown, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { invalidSetting } from '../../config/load.ts';
import { type Account, canEnter, serverAccount, spawnAs } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';

const run = promisify(execFile);

export const SUPERUSER = 'postern';

/** For a server that runs as a user who can't reach the project, such as one below a home folder of mode 0700. */
const SYSTEM_HOME = '/var/lib/postern';

/** A cluster on disk. The folder holds `data` (PGDATA), `password` and `server.log`. */
export interface Cluster {
  folder: string;
  pgdata: string;
  logFile: string;
  password: string;
  account: Account;
  binaries: Binaries;
}

/** The data folder, made if absent. As root it is passable for the server's user, which owns only its part. */
function openDataDir(dataDir: string): void {
  const root = process.getuid?.() === 0;
  try {
    mkdirSync(dataDir, { recursive: true, mode: root ? 0o711 : 0o700 });
    const { uid, mode } = statSync(dataDir);
    if (root && uid === 0 && (mode & 0o001) === 0) chmodSync(dataDir, (mode & 0o7777) | 0o011);
  } catch (error) {
    throw invalidSetting(
      'POSTERN_DATA_DIR',
      `names a folder that can't be used (${(error as NodeJS.ErrnoException).code}): ${dataDir}`,
      error,
    );
  }
}

/** Not committed to disk before its rename, so that a crash leaves either a whole cluster or none. */
async function initialise(
  home: string,
  { account, binaries, durable }: { account: Account; binaries: Binaries; durable: boolean },
): Promise<string> {
  const temporary = await mkdtemp(path.join(home, '.postgres-'));
  try {
    if (account !== undefined) chownSync(temporary, account.uid, account.gid);
    const passwordFile = path.join(temporary, 'password');
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    const settings = {
      listen_addresses: '127.0.0.1',
      // Only TCP: a socket's path is limited to 107 bytes, and a data folder's is not.
      unix_socket_directories: '',
      max_connections: '200',
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    };
    const flags = [
      `--pgdata=${path.join(temporary, 'data')}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ...(durable ? [] : ['--no-sync']),
    ];
    await run(binaries.initdb, flags, spawnAs(account));
    return temporary;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw invalidSetting(
      'DATABASE_URL',
      `must be set: the embedded PostgreSQL can't be made here (${(stderr || String(error)).trim().replaceAll('\n', ' ')})`,
      error,
    );
  }
}

/** Whether the name was free. An other process may make the cluster at the same time: one of the two wins. */
async function claim(make: () => Promise<void>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function create(dataDir: string, account: Account, durable: boolean): Promise<void> {
  const entrance = path.join(dataDir, 'postgres');
  if (canEnter(account, dataDir)) {
    const binaries = await findBinaries(account, dataDir);
    const made = await initialise(dataDir, { account, binaries, durable });
    if (!(await claim(() => rename(made, entrance)))) await rm(made, { recursive: true, force: true });
    return;
  }
  await mkdir(SYSTEM_HOME, { recursive: true, mode: 0o755 });
  const binaries = await findBinaries(account, SYSTEM_HOME);
  const made = await initialise(SYSTEM_HOME, { account, binaries, durable });
  // A name of its own: a project that is cloned anew at an old path must not find the old one's database.
  const home = path.join(SYSTEM_HOME, `postgres-${randomBytes(6).toString('hex')}`);
  await rename(made, home);
  if (!(await claim(() => symlink(home, entrance)))) await rm(home, { recursive: true, force: true });
  else if (account !== undefined) await lchown(entrance, account.uid, account.gid);
}

/** The cluster in the data folder, made on the first start. `durable: false` gives up safety for speed (tests). */
export async function openCluster(dataDir: string, { durable }: { durable: boolean }): Promise<Cluster> {
  openDataDir(dataDir);
  const entrance = path.join(dataDir, 'postgres');
  if (!existsSync(entrance)) await create(dataDir, serverAccount(dataDir), durable);
  const folder = realpathSync(entrance);
  const account = serverAccount(folder);
  const uid = process.getuid?.();
  const owner = statSync(folder).uid;
  if (account === undefined && uid !== undefined && owner !== uid) {
    throw invalidSetting(
      'POSTERN_DATA_DIR',
      `holds a database of another user (uid ${owner}): run as that user, or name another folder than ${dataDir}`,
    );
  }
  return {
    folder,
    pgdata: path.join(folder, 'data'),
    logFile: path.join(folder, 'server.log'),
    password: await readFile(path.join(folder, 'password'), 'utf8'),
    account,
    binaries: await findBinaries(account, folder.startsWith(`${SYSTEM_HOME}/`) ? SYSTEM_HOME : dataDir),
  };
}
