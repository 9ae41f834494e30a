import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog } from '../observe/log.ts';
import { createMailer } from './mailer.ts';

let dataDir: string;
let server: Server | undefined;
const lines: string[] = [];
const log = createLog({ level: 'info', destination: { write: (line: string) => lines.push(line) } });
const mailFrom = 'Postern <postern@example.com>';
const mail = { to: 'ada@example.com', subject: 'Ihre Einladung für Größe', text: 'Open /invite?token=abc-secret\n' };

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'postern-mail-'));
  lines.length = 0;
});
afterEach(async () => {
  rmSync(dataDir, { recursive: true });
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

test('without a mail server a mail is a file for its reader only, and the log says where', async () => {
  await createMailer({ config: { smtpUrl: undefined, mailFrom, dataDir }, log }).send(mail);
  const [name = ''] = readdirSync(join(dataDir, 'mail'));
  const path = join(dataDir, 'mail', name);
  expect(name).toMatch(/\.eml$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain('To: ada@example.com');
  expect(text).toContain('From: Postern <postern@example.com>');
  expect(text).toContain('token=');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ path });
  expect(lines.join('')).not.toContain('abc-secret');
});

test('a line break in a field makes no further header', async () => {
  const mailer = createMailer({ config: { smtpUrl: undefined, mailFrom, dataDir }, log });
  await mailer.send({ ...mail, subject: 'Hi\r\nBcc: eve@example.com', to: 'ada@example.com\r\nBcc: eve@example.com' });
  const [name = ''] = readdirSync(join(dataDir, 'mail'));
  const [head = ''] = readFileSync(join(dataDir, 'mail', name), 'utf8').split(/\r?\n\r?\n/);
  expect(head).not.toMatch(/^bcc:/im);
});

test('hands mails to the mail server', async () => {
  let received = '';
  server = createServer((socket) => {
    let data = false;
    socket.write('220 test\r\n');
    socket.on('data', (chunk) => {
      received += chunk;
      for (const line of chunk.toString().split('\r\n').filter(Boolean)) {
        if (data && line === '.') {
          data = false;
          socket.write('250 ok\r\n');
        } else if (!data) {
          if (line === 'DATA') data = true;
          socket.write(line.startsWith('EHLO') ? '250 test\r\n' : line === 'DATA' ? '354 go\r\n' : '250 ok\r\n');
        }
      }
    });
  });
  const port = await listen(server);
  await createMailer({ config: { smtpUrl: `smtp://127.0.0.1:${port}`, mailFrom, dataDir }, log }).send(mail);
  expect(received).toContain('RCPT TO:<ada@example.com>');
  expect(received).toContain('MAIL FROM:<postern@example.com>');
});

test('a mail server that refuses is a 503', async () => {
  server = createServer((socket) => socket.end('554 no\r\n'));
  const port = await listen(server);
  const mailer = createMailer({ config: { smtpUrl: `smtp://127.0.0.1:${port}`, mailFrom, dataDir }, log });
  await expect(mailer.send(mail)).rejects.toMatchObject({ code: 'mail.unavailable', status: 503 });
});

function listen(target: Server): Promise<number> {
  return new Promise((resolve) => {
    target.listen(0, '127.0.0.1', () => resolve((target.address() as { port: number }).port));
  });
}
