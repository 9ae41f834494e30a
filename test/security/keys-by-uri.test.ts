import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import {
  assertion,
  claimsOf,
  expectInvalidClient,
  handmade,
  pairOf,
  type Signer,
  sendAssertion,
} from '../support/assertions.ts';
import { browserOf } from '../support/console.ts';
import { clientCredentials } from '../support/oauth.ts';
import { BY_TEST, createApi, createPerson, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime, resetTime } from '../support/time.ts';

let postern: Postern;
let permission: string;
let server: Server;
let origin: string;
/** What stands at which path, and how often it was asked for. */
const published = new Map<string, RequestListener>();
const asked = new Map<string, number>();

beforeAll(async () => {
  server = createServer((req, res) => {
    const path = req.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const answer = published.get(path);
    if (answer) answer(req, res);
    else res.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  postern = await startPostern({ env: { POSTERN_OUTGOING_ALLOW: new URL(origin).host } });
  permission = `${await createApi(postern, ['read'])}#read`;
});
afterAll(async () => {
  await postern.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
afterEach(() => resetTime());

const json =
  (value: unknown): RequestListener =>
  (_req, res) => {
    res.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(value));
  };

let made = 0;

interface Published extends Signer {
  path: string;
  publish(...keys: object[]): void;
}

async function createPublished(): Promise<Published> {
  made += 1;
  const path = `/${made}.json`;
  const pair = await pairOf('ES256');
  const publish = (...keys: object[]) => void published.set(path, json({ keys }));
  publish(pair.jwk);
  const { id, clientId } = await postern.parts.serviceAccounts.create(
    {
      name: `published ${made}`,
      permissions: [permission],
      auth: 'private_key_jwt',
      jwksUri: `${origin}${path}`,
    },
    BY_TEST,
  );
  return { ...pair, id, clientId, issuer: postern.url, path, publish };
}

const send = async (by: Signer, header: object = {}) => sendAssertion(postern.url, await assertion(by, {}, header));

async function lastRefusal(clientId: string) {
  const event = await postern.db.prisma.auditEvent.findFirst({
    where: { action: 'token.refuse', clientId },
    orderBy: { id: 'desc' },
  });
  return { reason: event?.reason, detail: (event?.data as { detail?: string } | undefined)?.detail };
}

describe('keys that a service publishes', () => {
  test('S28 verify its assertions, and are read once for many', async () => {
    const service = await createPublished();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(service)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(asked.get(service.path)).toBe(1);
    // Nobody else's key does.
    expectInvalidClient(await send({ ...service, ...(await pairOf('ES256')) }));
    const sent = await assertion(service);
    expect((await sendAssertion(postern.url, sent)).status).toBe(200);
    expectInvalidClient(await sendAssertion(postern.url, sent));
  });

  test('a new key is found at its first use; one that nobody knows makes the server be asked every 30 s at most', async () => {
    const service = await createPublished();
    expect((await send(service)).status).toBe(200);
    const next = await pairOf('ES256');
    const jwk = { ...next.jwk, kid: 'k2' };
    service.publish(service.jwk, jwk);
    moveTime(31);
    expect((await send({ ...service, ...next, jwk }, { kid: 'k2' })).status).toBe(200);
    expect((await send(service)).status).toBe(200);
    expect(asked.get(service.path)).toBe(2);
    for (let i = 0; i < 5; i++) expectInvalidClient(await send(service, { kid: `unknown-${i}` }));
    expect(asked.get(service.path)).toBe(2);
    moveTime(62);
    for (let i = 0; i < 5; i++) expectInvalidClient(await send(service, { kid: `unknown-${i}` }));
    expect(asked.get(service.path)).toBe(3);
  });

  test('a key that was taken down counts for five minutes at the most', async () => {
    const service = await createPublished();
    expect((await send(service)).status).toBe(200);
    const next = await pairOf('ES256');
    service.publish({ ...next.jwk, kid: 'k2' });
    moveTime(290);
    expect((await send(service)).status).toBe(200);
    moveTime(301);
    expectInvalidClient(await send(service));
  });

  test('while their server is away what was read counts for an hour, and no longer', async () => {
    const service = await createPublished();
    expect((await send(service)).status).toBe(200);
    published.delete(service.path);
    moveTime(3_590);
    expect((await send(service)).status).toBe(200);
    expectInvalidClient(await send(service, { kid: 'unknown' }));
    moveTime(3_640);
    expectInvalidClient(await send(service));
    expect((await lastRefusal(service.clientId)).detail).toContain('status 404');
  });

  test('S40 alg none, HS256 by the public key, and keys from headers are refused with keys by URI too', async () => {
    const service = await createPublished();
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const other = await pairOf('ES256');
    for (const sent of [
      `${encode({ alg: 'none' })}.${encode(claimsOf(service))}.`,
      handmade(service, { alg: 'HS256', kid: 'k1' }),
      handmade({ ...service, ...other }, { alg: 'ES256', jwk: other.jwk }),
      handmade({ ...service, ...other }, { alg: 'ES256', kid: 'k1', jku: `${origin}${service.path}` }),
    ]) {
      expectInvalidClient(await sendAssertion(postern.url, sent));
    }
    expect((await send(service)).status).toBe(200);
  });
});

const slow: RequestListener = () => undefined;
const weak = async (): Promise<JWK> => {
  const { publicKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  return { ...(await exportJWK(publicKey)), e: 'Aw', kid: 'k1' };
};

describe('SSRF what can not be read is a refusal with its reason, and never an error of ours', () => {
  test.each([
    ['no such document', undefined, 'status 404'],
    ['a redirect', (_req, res) => res.writeHead(302, { location: '/elsewhere' }).end(), 'status 302'],
    ['an error', (_req, res) => res.writeHead(500).end(), 'status 500'],
    ['a page', (_req, res) => res.setHeader('content-type', 'text/html').end('<p>'), 'not JSON by its Content-Type'],
    [
      'too much',
      (_req, res) => res.setHeader('content-type', 'application/json').end(`"${'x'.repeat(70_000)}"`),
      'more than',
    ],
    ['no set', json({ hello: 'world' }), 'not a JWK Set'],
    ['an empty set', json({ keys: [] }), 'no key that can verify'],
    ['a connection that is cut', (req) => req.socket.destroy(), 'can’t be read'],
  ] as [string, RequestListener | undefined, string][])('%s', async (_name, listener, reason) => {
    const service = await createPublished();
    if (listener) published.set(service.path, listener);
    else published.delete(service.path);
    expectInvalidClient(await send(service));
    const told = await lastRefusal(service.clientId);
    expect(told.reason).toBe('invalid_client');
    expect(told.detail).toContain(`the keys at ${origin}${service.path} can't be read: `);
    if (!reason.includes('’')) expect(told.detail).toContain(reason);
  });

  test('a set that gives a private or a shared key away is refused whole', async () => {
    for (const leak of [
      { ...(await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)), kid: 'k2' },
      { kty: 'oct', k: 'c2VjcmV0', kid: 'k2' },
    ]) {
      const service = await createPublished();
      service.publish(service.jwk, leak);
      expectInvalidClient(await send(service));
      expect((await lastRefusal(service.clientId)).detail).toContain('key 2 is no public key');
    }
  });

  test('a weak key and one for encryption do not verify, and do not keep the good one from it', async () => {
    const service = await createPublished();
    service.publish(await weak());
    expectInvalidClient(await send(service));
    const other = await createPublished();
    other.publish(await weak(), { ...other.jwk, kid: 'enc', use: 'enc' }, other.jwk);
    expect((await send(other)).status).toBe(200);
  });

  test('an address that is not public is not asked, whatever its name said when it was given', async () => {
    const service = await createPublished();
    for (const jwksUri of [
      'https://127.0.0.2:1/keys',
      'https://[::1]/keys',
      'https://localhost./keys',
      'http://192.0.2.7/keys',
    ]) {
      await postern.db.prisma.client.update({ where: { clientId: service.clientId }, data: { jwksUri } });
      await postern.db.notify('client_changed', service.clientId);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expectInvalidClient(await send(service));
      expect((await lastRefusal(service.clientId)).detail).toMatch(/not public|http to a host/);
    }
  });

  test('a slow key server holds up its own client alone, and that for a bounded time', async () => {
    const service = await createPublished();
    published.set(service.path, slow);
    const waiting = Promise.all(Array.from({ length: 5 }, () => send(service)));
    const other = await createService(postern, [permission]);
    const published2 = await createPublished();
    const began = performance.now();
    expect((await clientCredentials(postern.url, other)).status).toBe(200);
    expect((await send(published2)).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(1_000);
    for (const answer of await waiting) expectInvalidClient(answer);
    expect(performance.now() - began).toBeLessThan(4_500);
    expect((await lastRefusal(service.clientId)).detail).toContain(service.path);
    // It is not asked again at once.
    const again = performance.now();
    expectInvalidClient(await send(service));
    expect(performance.now() - again).toBeLessThan(500);
    expect(asked.get(service.path)).toBe(1);
  });
});

describe('on the pages', () => {
  test('an address is given, said to be readable or not, and changed for keys', async () => {
    const admin = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
    const fields = { 'permissions[]': permission, auth: 'private_key_jwt' };
    const newPage = await admin.get('/admin/service-accounts/new');
    const { jwk } = await pairOf('ES256');
    published.set('/page.json', json({ keys: [jwk] }));

    const refused = [
      ['not an address', 'Enter an https address'],
      ['http://keys.example/jwks.json', 'Enter an https address'],
      ['https://user:pass@keys.example/', 'Enter an https address'],
    ];
    for (const [jwksUri = '', text = ''] of refused) {
      const page = await admin.submit(newPage, 'jwksUri', { ...fields, name: 'page', jwksUri });
      expect([page.status, page.text.includes(text)]).toEqual([422, true]);
    }
    const both = { ...fields, name: 'page', jwksUri: `${origin}/page.json`, jwks: JSON.stringify({ keys: [jwk] }) };
    expect((await admin.submit(newPage, 'jwksUri', both)).text).toContain('not both');
    const asSecret = { ...both, auth: 'secret', jwks: '' };
    expect((await admin.submit(newPage, 'jwksUri', asSecret)).text).toContain('Keys are for signed assertions');

    const shown = await admin.submit(newPage, 'jwksUri', { ...both, jwks: '' });
    expect(shown.status).toBe(200);
    expect(shown.text).toContain(`${origin}/page.json`);
    const read = await admin.post(`${new URL(shown.url).pathname}/keys/read`, {
      _csrf: shown.forms.find(({ fields: { _csrf } }) => _csrf)?.fields._csrf ?? '',
    });
    expect(read.text).toContain('it holds one key');

    const form = await admin.get(`${new URL(shown.url).pathname}/keys`);
    const moved = await admin.submit(form, 'jwksUri', { jwksUri: `${origin}/nothing.json` });
    expect(moved.text).toContain("can't be read from that address now");
    const given = await admin.submit(await admin.get(`${new URL(shown.url).pathname}/keys`), 'jwksUri', {
      jwksUri: '',
      jwks: JSON.stringify({ keys: [jwk] }),
    });
    expect(given.text).toContain('k1');
    expect(given.text).not.toContain(`${origin}/nothing.json`);
    const events = await postern.db.prisma.auditEvent.findMany({
      where: { action: { startsWith: 'service_account.' }, targetName: 'page' },
      orderBy: { id: 'asc' },
    });
    expect(events.map(({ data }) => data)).toMatchObject([
      { jwksUri: `${origin}/page.json` },
      { jwksUri: `${origin}/nothing.json`, removedJwksUri: `${origin}/page.json` },
      { keys: [{ kid: 'k1' }], removedJwksUri: `${origin}/nothing.json` },
    ]);
  });
});
