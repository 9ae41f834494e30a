import { access, constants, mkdtemp, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../platform/config/schema.ts';
import { type Finding, fail, ok, reason, warn } from './finding.ts';

const OLDEST_NODE = 22;

export function checkNode(version: string): Finding {
  const major = Number(version.split('.')[0]);
  if (major < OLDEST_NODE)
    return fail('node', `Node.js ${version} is too old; ${OLDEST_NODE} is the oldest that works`);
  return ok('node', `Node.js ${version}`);
}

/** The data folder must take files: the master key, the embedded database, mails. */
export async function checkDataDir({ dataDir }: Pick<Config, 'dataDir'>): Promise<Finding> {
  const name = 'data folder';
  try {
    const found = await nearestFolder(dataDir);
    if (found !== dataDir) {
      await access(found, constants.W_OK | constants.X_OK);
      return ok(name, `${dataDir} does not exist yet and can be made`);
    }
    const probe = await mkdtemp(path.join(dataDir, '.doctor-'));
    await rm(probe, { recursive: true });
    const { mode } = await stat(dataDir);
    if (process.platform !== 'win32' && (mode & 0o006) !== 0) {
      return warn(name, `other users of this machine may read ${dataDir}: run chmod o-rw on it`, 'POSTERN_DATA_DIR');
    }
    return ok(name, `${dataDir} can be written`);
  } catch (error) {
    return fail(name, `${dataDir} can't be written: ${reason(error)}`, 'POSTERN_DATA_DIR');
  }
}

async function nearestFolder(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    const parent = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    return nearestFolder(parent);
  }
}

export function checkProxies(config: Pick<Config, 'secure' | 'trustedProxies'>): Finding {
  const name = 'proxies';
  if (config.trustedProxies.length > 0)
    return ok(name, `forwarded headers count from ${config.trustedProxies.join(', ')}`);
  if (!config.secure) return ok(name, 'none are trusted, and none are needed');
  const message =
    'the issuer is https, so a proxy stands in front, but none is trusted: every request seems to come from it, and all people share its limits';
  return warn(name, message, 'POSTERN_TRUSTED_PROXIES');
}

/** `verify` connects and signs in to the mail server. */
export async function checkMail(config: Pick<Config, 'smtpUrl' | 'dataDir'>): Promise<Finding> {
  const name = 'mail';
  if (config.smtpUrl === undefined) {
    const folder = path.join(config.dataDir, 'mail');
    return warn(name, `mails are not sent, they are kept in ${folder}`, 'POSTERN_SMTP_URL');
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({ url: config.smtpUrl, connectionTimeout: 5_000, greetingTimeout: 5_000 });
  try {
    await transport.verify();
    return ok(name, `${new URL(config.smtpUrl).host} takes mails`);
  } catch (error) {
    return fail(name, `${new URL(config.smtpUrl).host} takes no mails: ${reason(error)}`, 'POSTERN_SMTP_URL');
  } finally {
    transport.close();
  }
}
