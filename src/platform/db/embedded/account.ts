import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { invalidSetting } from '../../config/load.ts';

/** The system user that the server runs as; undefined: the one that this process runs as. */
export type Account = { uid: number; gid: number } | undefined;

function passwdEntry(name: string): Account {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/**
 * PostgreSQL refuses to run as root. Then it runs as the owner of its folder, else as postgres, else as nobody; no user
 * is ever made for it. `folder` is the cluster where it exists, else the data folder.
 */
export function serverAccount(folder: string): Account {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(folder);
  if (uid !== 0) return { uid, gid };
  const account = passwdEntry('postgres') ?? passwdEntry('nobody');
  if (account === undefined) {
    throw invalidSetting(
      'DATABASE_URL',
      'must be set: the embedded PostgreSQL does not run as root, and there is neither a user postgres nor nobody',
    );
  }
  return account;
}

/** What spawn() needs to run as the account, with nothing of our environment. */
export function spawnAs(account: Account): { uid?: number; gid?: number; cwd: string; env: NodeJS.ProcessEnv } {
  // PGDATA, PGPORT and the like of the caller must not reach the server; its own folder may be closed to the account.
  return { ...account, cwd: '/', env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };
}

/** Whether the account can enter the folder, asked of the system itself: modes alone don't tell of ACLs and mounts. */
export function canEnter(account: Account, folder: string): boolean {
  return test(account, '-x', folder);
}

export function canRun(account: Account, file: string): boolean {
  return test(account, '-x', file) && test(account, '-r', file);
}

function test(account: Account, flag: string, file: string): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', `test ${flag} "$1"`, 'sh', file], {
    ...spawnAs(account),
    stdio: 'ignore',
  });
  return status === 0;
}
