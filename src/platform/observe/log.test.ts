import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../kernel/errors.ts';
import { createLog } from './log.ts';

function capture() {
  const lines: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line: string) => lines.push(line) } });
  return { log, lines, text: () => lines.join('') };
}

describe('S95 logged values stay encoded', () => {
  const evil = 'x\r\n{"level":"info","msg":"forged"}\u001b[2J\u009b31m\u202eabc\u2028\u2066\u0000\u007f\ufeff';

  test('a value can neither end its line nor act on a terminal', () => {
    const { log, lines } = capture();
    log.info({ userAgent: evil, nested: { list: [evil] }, err: new Error(evil) }, evil);
    expect(lines).toHaveLength(1);
    const [line = ''] = lines;
    expect(line.indexOf('\n')).toBe(line.length - 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/);
    expect(JSON.parse(line)).toMatchObject({ userAgent: evil, nested: { list: [evil] }, msg: evil });
  });

  test('a value can not stand in for a field of the log itself', () => {
    const { log, lines } = capture();
    log.info({ userAgent: '","level":"fatal' });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', userAgent: '","level":"fatal' });
  });
});

describe('S91 no credential or token in any log', () => {
  const secrets = [
    ...['hunter2-hunter2', 'pst_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfG'],
    ...['eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ', 'SplxlOBeZQQYbYS6WxSbIA'],
  ];
  const [password = '', clientSecret = '', jwt = '', code = ''] = secrets;

  test.each<[string, Record<string, unknown>]>([
    ['fields', { password, code, token: jwt, client_secret: clientSecret, refreshToken: code, otp: '123456' }],
    [
      'nested fields',
      { body: { newPassword: password, list: [{ accessToken: code }] }, deep: { a: { b: { secret: password } } } },
    ],
    [
      'headers',
      { headers: { authorization: `Bearer ${code}`, cookie: `s=${code}`, 'set-cookie': [code], 'X-CSRF-Token': code } },
    ],
    [
      'addresses',
      { url: `/setup?token=${code}&x=1`, location: `https://a.test/cb?code=${code}&state=${password}&iss=x` },
    ],
    ['form bodies', { raw: `grant_type=x&client_secret=${password}&code_verifier=${code}` }],
    [
      'free text',
      { note: `got ${clientSecret} and ${jwt}`, header: `Basic ${Buffer.from(password).toString('base64')}` },
    ],
    ['connection strings', { url: `postgresql://postern:${password}@db.test/postern` }],
    [
      'errors',
      { err: new Error(`bad ${jwt}`, { cause: new AppError('x', { detail: { password, url: `/a?code=${code}` } }) }) },
    ],
    ['keys as bytes', { bytes: Buffer.from(password) }],
  ])('%s', (_, fields) => {
    const { log, text } = capture();
    log.info(fields);
    log.child({ part: 'x' }).child(fields).info('child');
    const basic = Buffer.from(password).toString('base64');
    for (const secret of [...secrets, basic, '123456']) expect(text()).not.toContain(secret);
  });

  test('messages', () => {
    const { log, text } = capture();
    log.error(new Error(`connect postgres://u:${password}@h/d failed`));
    log.warn(`GET /invite?token=${code} Bearer ${jwt}`);
    for (const secret of secrets) expect(text()).not.toContain(secret);
  });

  test('what is needed to find a fault stays', () => {
    const { log, lines } = capture();
    const cause = Object.assign(new Error('terminating connection'), { code: '57P01' });
    log.error({ err: new AppError('database.unavailable', { cause, detail: 'host db' }), requestId: 'r1' }, 'failed');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      requestId: 'r1',
      err: { type: 'AppError', code: 'database.unavailable', detail: 'host db', cause: { code: '57P01' } },
    });
  });

  test('a value that refers to itself does not end the process', () => {
    const { log, lines } = capture();
    const loop: Record<string, unknown> = { name: 'loop' };
    loop.self = loop;
    log.info({ loop, big: 10n });
    expect(lines).toHaveLength(1);
  });
});
