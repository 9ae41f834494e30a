import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../kernel/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Log } from '../observe/log.ts';
import { equal } from './digest.ts';
import type { Envelope } from './envelope.ts';
import type { SettingStore } from './setting-store.ts';

const FILE = 'master.key';
const BYTES = 32;
const CANARY = 'canary';
const CANARY_AAD = `setting|value_enc|${CANARY}`;
const CANARY_TEXT = Buffer.from('postern: this installation is sealed with this key');

function read(path: string): Buffer | undefined {
  let text: string;
  try {
    // Windows keeps no such modes: there the folder's access list decides.
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
      throw new AppError('config.invalid', {
        detail: `${path} holds the master key and other users may read it: run chmod 600 on it`,
      });
    }
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = Buffer.from(text, 'base64url');
  if (key.length !== BYTES || !/^[\w-]{43}=?$/.test(text)) {
    throw new AppError('config.invalid', { detail: `${path} does not hold 32 bytes in base64url` });
  }
  return key;
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes the key whole and durably before it gets its name, so that two first starts agree on one key. */
function create(folder: string, path: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const handle = openSync(draft, 'wx', 0o400);
  try {
    writeSync(handle, `${randomBytes(BYTES).toString('base64url')}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  syncFolder(folder);
}

/**
 * The installation's master key (32 bytes): the setting POSTERN_MASTER_KEY, else `<data folder>/master.key`, else a new
 * one in that file. A new one is made only where no data exists: with data it could open nothing, and would hide that
 * the real key is missing.
 */
export function loadMasterKey(
  config: Pick<Config, 'masterKey' | 'dataDir'>,
  { dataExists, log }: { dataExists: boolean; log: Log },
): Buffer {
  if (config.masterKey) return config.masterKey;
  const path = join(config.dataDir, FILE);
  const found = read(path);
  if (found) return found;
  if (dataExists) {
    throw new AppError('config.master_key_missing', {
      status: 500,
      detail: `the database holds encrypted data, but POSTERN_MASTER_KEY is not set and ${path} does not exist: put the key back`,
    });
  }
  create(config.dataDir, path);
  const made = read(path);
  if (!made) throw new AppError('config.invalid', { detail: `${path} could not be written` });
  log.info({ path }, 'made a master key: keep a copy of this file apart from the database');
  return made;
}

/**
 * Proves that the master key is this database's key, by opening the canary row; makes the row on the first start.
 * Throws AppError `config.wrong_master_key`. To be awaited before anything is written or listens.
 */
export async function openCanary(settings: SettingStore, envelope: Envelope): Promise<void> {
  if (!(await settings.anySealed())) {
    await settings.add(new Map([[CANARY, envelope.seal(CANARY_TEXT, CANARY_AAD)]]));
  }
  // Read back also after writing: of two processes at their first start, the other may have been first.
  const sealed = (await settings.read([CANARY])).get(CANARY);
  try {
    if (sealed && equal(envelope.open(sealed, CANARY_AAD), CANARY_TEXT)) return;
  } catch (cause) {
    throw wrongKey('the master key is not the one that this database was sealed with', cause);
  }
  throw wrongKey('the canary of the master key is missing from a database that holds encrypted data');
}

function wrongKey(detail: string, cause?: unknown): AppError {
  return new AppError('config.wrong_master_key', { status: 500, detail, cause });
}
