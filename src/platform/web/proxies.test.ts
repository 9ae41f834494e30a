import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sendRaw, startTestWeb, type TestWeb } from '../../../test/support/web.ts';
import { issuerFor } from './hosts.ts';
import { route } from './route.ts';

const whoami = route({ method: 'GET', path: '/whoami' }, (ctx) => {
  ctx.body = `${ctx.state.request.address} ${ctx.ip} ${ctx.protocol}://${ctx.host} ${ctx.state.request.id} ${ctx.get('client-cert')}`;
});

describe('behind a configured proxy', () => {
  let web: TestWeb;
  beforeAll(async () => {
    web = await startTestWeb({
      issuer: 'https://id.example.com',
      allowedHosts: ['postern.internal:8080'],
      trustedProxies: ['127.0.0.1', '10.0.0.0/8', '::1'],
      routes: [whoami],
    });
  });
  afterAll(() => web.close());

  const ask = (headers: string): Promise<string> =>
    sendRaw(web.port, `GET /whoami HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);

  test('the client is the last address that no proxy of ours stands for', async () => {
    const answer = await ask('Host: id.example.com\r\nX-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.2.3.4');
    expect(answer).toContain('198.51.100.7 198.51.100.7 https://id.example.com');
    expect(await ask('Host: id.example.com\r\nX-Forwarded-For: 2001:db8::7')).toContain('2001:db8::7 2001:db8::7');
    expect(await ask('Host: id.example.com\r\nX-Forwarded-For: nonsense')).toContain('127.0.0.1 127.0.0.1');
    expect(await ask('Host: id.example.com\r\nX-Forwarded-For: [2001:db8::7]:4711')).toContain('2001:db8::7');
  });

  test('the host may come forwarded, and must still be one that is served', async () => {
    expect(await ask('Host: 10.1.1.1:3000\r\nX-Forwarded-Host: id.example.com')).toContain(' https://id.example.com ');
    expect(await ask('Host: 10.1.1.1:3000\r\nX-Forwarded-Host: evil.example')).toMatch(/^HTTP\/1\.1 421 /);
    expect(await ask('Host: ID.example.COM:443')).toContain(' https://id.example.com ');
    expect(await ask('Host: id.example.com:444')).toMatch(/^HTTP\/1\.1 421 /);
    expect(await ask('Host: id.example.com.evil.example')).toMatch(/^HTTP\/1\.1 421 /);
  });

  test('a listed alias is served under its own name', async () => {
    expect(await ask('Host: postern.internal:8080')).toContain(' http://postern.internal:8080 ');
  });

  test('the proxy may name the request', async () => {
    expect(await ask('Host: id.example.com\r\nX-Request-Id: edge-12345678')).toContain('edge-12345678');
    expect(await ask('Host: id.example.com\r\nX-Request-Id: <b>12345678')).not.toContain('<b>');
  });
});

describe('without one', () => {
  test('S47 forwarded headers and certificates of a stranger are dropped', async () => {
    const web = await startTestWeb({
      issuer: 'https://id.example.com',
      trustedProxies: ['10.0.0.0/8'],
      routes: [whoami],
    });
    const answer = await sendRaw(
      web.port,
      'GET /whoami HTTP/1.1\r\nHost: id.example.com\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\nClient-Cert: :MII=:\r\nX-Request-Id: edge-12345678\r\nConnection: close\r\n\r\n',
    );
    await web.close();
    expect(answer).toContain('127.0.0.1 127.0.0.1 https://id.example.com');
    expect(answer).not.toMatch(/9\.9\.9\.9|MII|edge-12345678/);
  });
});

test.each([
  ['localhost:3000', 'http://localhost:3000'],
  ['127.0.0.1', 'http://127.0.0.1'],
  ['[::1]:3000', 'http://[::1]:3000'],
  ['ID.example.com', 'https://id.example.com'],
  ['id.example.com:443', 'https://id.example.com'],
  ['id.example.com:8443', 'https://id.example.com:8443'],
  ['192.168.1.20:3000', 'https://192.168.1.20:3000'],
  ['a b', undefined],
  ['x"y', undefined],
])('the issuer for %s is %s', (host, expected) => {
  expect(issuerFor(host)).toBe(expected);
});
