import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import nodemailer from 'nodemailer';
import { unavailable } from '../../kernel/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Log } from '../observe/log.ts';

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html?: string;
}

export interface Mailer {
  /** Resolves when the mail server has taken the mail over. AppError `mail.unavailable` (503) when it did not. */
  send(mail: Mail): Promise<void>;
}

/** A mail server that doesn't answer must not hold a request for minutes, as nodemailer's defaults would. */
const TIMEOUT_MS = 10_000;

// Templates are ours: nothing in a mail may make the sender read files or fetch addresses.
const closed = { disableFileAccess: true, disableUrlAccess: true };

function smtp(url: string): (mail: Mail & { from: string }) => Promise<void> {
  const transport = nodemailer.createTransport({
    url,
    ...closed,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  });
  return async (mail) => {
    await transport.sendMail(mail);
  };
}

/** Without a mail server each mail becomes a file, which any mail program opens. */
function files(folder: string, log: Log): (mail: Mail & { from: string }) => Promise<void> {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'unix', ...closed });
  return async (mail) => {
    const { message } = await transport.sendMail(mail);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const time = new Date().toISOString().replace(/[:.]/g, '-');
    const path = join(folder, `${time}-${randomBytes(4).toString('hex')}.eml`);
    await writeFile(path, message as Buffer, { mode: 0o600, flag: 'wx' });
    log.info({ path, subject: mail.subject }, 'no mail server is set: the mail was kept as a file');
  };
}

export function createMailer({
  config,
  log,
}: {
  config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'dataDir'>;
  log: Log;
}): Mailer {
  const deliver = config.smtpUrl ? smtp(config.smtpUrl) : files(join(config.dataDir, 'mail'), log);
  return {
    async send(mail) {
      try {
        await deliver({ ...mail, from: config.mailFrom });
      } catch (error) {
        throw unavailable('mail.unavailable', error, 30);
      }
    },
  };
}
