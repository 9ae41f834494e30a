import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAgent } from '../support/browserless.ts';
import { asClient, clientCredentials, getCode, postForm, redeem } from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let service: Service;
let spa: Application;
let person: Person;

beforeAll(async () => {
  postern = await startPostern();
  service = await createService(postern, [`${await createApi(postern, ['read'])}#read`]);
  spa = await createApplication(postern, { type: 'spa' });
  person = await createPerson(postern);
});
afterAll(() => postern.close());

describe('introspection', () => {
  test('S49 tells a client that can not prove who it is nothing, not even of its own tokens', async () => {
    const { code, verifier } = await getCode(createAgent(postern.url), spa, person);
    const { body } = await redeem(postern.url, spa, { code, verifier });
    const told = await postForm(`${postern.url}/oauth2/introspect`, {
      client_id: spa.clientId,
      token: body.access_token ?? '',
    });
    expect(told.body).toEqual({ active: false });
  });

  test('S41 a public jti is no token, however the request is dressed up', async () => {
    const { body } = await clientCredentials(postern.url, service);
    const { jti } = JSON.parse(Buffer.from(body.access_token?.split('.')[1] ?? '', 'base64url').toString());
    const forms = [`token=jwt:${jti}`, `token=jwt:${jti}&${'a=&'.repeat(1_000)}token=y`, `token=${jti}`];
    for (const form of forms) {
      const response = await fetch(`${postern.url}/oauth2/introspect`, {
        method: 'POST',
        headers: { ...asClient(service).headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: form,
      });
      expect(JSON.stringify(await response.json())).not.toContain('"active":true');
    }
  });
});

test('S26 a secret in sloppy base64 is refused, whichever way answers', async () => {
  const exact = Buffer.from(`${service.clientId}:${service.secret}`).toString('base64');
  for (const sloppy of [`${exact}=`, `${exact}==`, `${exact}A===`]) {
    const { status } = await postForm(
      `${postern.url}/oauth2/token`,
      { grant_type: 'client_credentials' },
      { authorization: `Basic ${sloppy}` },
    );
    expect([sloppy.slice(-4), status]).not.toEqual([sloppy.slice(-4), 200]);
  }
});

test('CSRF: the confirmation of a sign-out is taken from our own page only', async () => {
  for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
    const response = await fetch(`${postern.url}/oauth2/logout/confirm`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'xsrf=x&logout=yes',
      redirect: 'manual',
    });
    expect(response.status).toBe(403);
  }
});

test('sign-ins that are begun and left do not fill the headers of a browser', async () => {
  const jar = new Map<string, string>();
  for (let i = 0; i < 12; i++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${postern.url}/console/sign-in?return_to=/${'a'.repeat(2_000)}`, {
      headers: cookie ? { cookie } : {},
      redirect: 'manual',
    });
    expect(response.status).toBe(303);
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
  }
  const kept = [...jar.keys()].filter((name) => name.includes('postern_return_'));
  expect(kept.length).toBeLessThanOrEqual(4);
  expect([...jar].join().length).toBeLessThan(4_000);
});

test('senders that never end their body hold nothing but their own connection', async () => {
  const { port } = new URL(postern.url);
  const sockets: Socket[] = [];
  try {
    await Promise.all(
      Array.from({ length: 2_100 }, async () => {
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => undefined);
        sockets.push(socket);
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.write(
          `POST /oauth2/token HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ng`,
        );
      }),
    );
    expect((await clientCredentials(postern.url, service)).status).toBe(200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  expect((await clientCredentials(postern.url, service)).status).toBe(200);
  expect(postern.logged.filter((line) => Number(line.level) >= 50 || line.level === 'error')).toEqual([]);
});
