import { createPrivateKey, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { createEnvelope } from '../../src/platform/crypto/envelope.ts';
import { createAgent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { ACCESS_TOKEN, allow, TOKEN_EXCHANGE } from '../support/exchange.ts';
import {
  clientCredentials,
  getCode,
  introspect,
  postForm,
  redeem,
  refresh,
  type TokenAnswer,
} from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern, TEST_MASTER_KEY } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

/** Takes keys away and asks the database; tokens are asked for, and shown, at two other processes. */
let maker: Postern;
let processes: PosternProcess[] = [];
let issuer: string;
let audience: string;
let downstream: string;
let service: Service;
let middle: Service;
let person: Person;
let application: Application;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  issuer = processes[0]?.url ?? '';
  audience = await createApi(maker, ['read', 'introspect']);
  downstream = await createApi(maker, ['read']);
  service = await createService(maker, [`${audience}#read`, `${downstream}#read`]);
  middle = await createService(maker, [`${audience}#introspect`, `${audience}#read`, `${downstream}#read`]);
  await allow(maker, middle, downstream);
  person = await createPerson(maker);
  await grantRole(maker, person, [`${audience}#read`]);
  application = await createApplication(maker, { permissions: [`${audience}#read`] });
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const origins = () => processes.map(({ url }) => url);
const kidOf = (jwt: string) => decodeProtectedHeader(jwt).kid ?? '';

async function tokenAt(origin = issuer): Promise<string> {
  const { body } = await clientCredentials(origin, service, { resource: audience });
  return String(body.access_token);
}

/** What a thief has who could read the database and the master key. */
async function steal(kid: string): Promise<KeyObject> {
  const { privateEnc } = await maker.db.prisma.signingKey.findUniqueOrThrow({ where: { kid } });
  const envelope = createEnvelope(Buffer.from(TEST_MASTER_KEY, 'base64url'));
  const key = envelope.open(privateEnc, `signing_key|private_enc|${kid}`);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

/** The claims of a good token, and more scope, signed with a stolen key. */
function forge(good: string, key: KeyObject, claims: Record<string, unknown> = {}): Promise<string> {
  const header = decodeProtectedHeader(good);
  return new SignJWT({ ...decodeJwt(good), ...claims })
    .setProtectedHeader({ ...header, alg: String(header.alg) })
    .sign(key);
}

const isActive = async (token: string) =>
  Promise.all(origins().map(async (origin) => (await introspect(origin, middle, token)).active));

const exchange = (origin: string, token: string): Promise<TokenAnswer> =>
  postForm(
    `${origin}/oauth2/token`,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      audience: downstream,
    },
    { authorization: middle.basic },
  );

const publishedAt = async (origin: string): Promise<string[]> => {
  const { keys } = (await (await fetch(`${origin}/oauth2/jwks`)).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

const rowOf = (token: string) =>
  maker.db.prisma.token.findFirstOrThrow({ where: { jti: String(decodeJwt(token).jti) } });

const lastEvent = () =>
  maker.db.prisma.auditEvent.findFirstOrThrow({ where: { action: 'key.revoke' }, orderBy: { seq: 'desc' } });

test('each JWT row names the key that signed it, in both ways of issuing', async () => {
  const [direct, browser] = [await tokenAt(), createAgent(issuer)];
  const got = await getCode(browser, application, person, { resource: audience, scope: 'openid read' });
  const { body } = await redeem(issuer, application, got, { resource: audience });
  for (const token of [direct, String(body.access_token)]) {
    expect((await rowOf(token)).kid).toBe(kidOf(token));
  }
});

describe('a key that leaked', () => {
  test('S37 S48 S50 it is believed nowhere within a second, and what it signed ends', async () => {
    const old = await Promise.all(origins().map(tokenAt));
    const [good = ''] = old;
    const kid = kidOf(good);
    const stolen = await steal(kid);
    const forged = await forge(good, stolen, { iat: 1 });
    const offline = { scope: 'openid offline_access read', prompt: 'consent', resource: audience };
    const got = await getCode(createAgent(issuer), application, person, offline);
    const signedIn = (await redeem(issuer, application, got)).body;
    const remote = () => createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
    // Until it is taken away nobody can tell: this is what the emergency path is for.
    expect(await isActive(forged)).toEqual([true, true]);
    await jwtVerify(forged, remote(), { issuer });
    expect((await exchange(issuer, forged)).status).toBe(200);

    const revoked = await maker.parts.signingKeys.revoke(BY_TEST, { kid, reason: 'found in a public bucket' });
    const began = performance.now();
    for (const origin of origins()) await until(async () => !(await publishedAt(origin)).includes(kid), 1);
    for (const token of [...old, forged]) expect(await isActive(token)).toEqual([false, false]);
    for (const origin of origins()) {
      const answer = await exchange(origin, forged);
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
      // An ID token is signed with the same key: as a hint it says nothing any more.
      const logout = await fetch(`${origin}/oauth2/logout?id_token_hint=${signedIn.id_token}`);
      expect(logout.status).toBe(400);
    }
    expect(performance.now() - began).toBeLessThan(1_000);
    await expect(jwtVerify(forged, remote(), { issuer })).rejects.toThrow('no applicable key');

    // Where a jti was made up there is no row, and there never was.
    const invented = await forge(good, stolen, { jti: 'invented', exp: Math.floor(Date.now() / 1000) + 60 });
    expect(await isActive(invented)).toEqual([false, false]);

    const row = await maker.db.prisma.signingKey.findUniqueOrThrow({ where: { kid } });
    expect([row.status, row.privateEnc.length]).toEqual(['revoked', 0]);
    // Each process signs with the successor; what was not made with the key stays.
    for (const origin of origins()) expect(kidOf(await tokenAt(origin))).toBe(revoked.successor);
    const refreshed = await refresh(issuer, application, String(signedIn.refresh_token));
    expect(refreshed.status).toBe(200);
    expect(kidOf(String(refreshed.body.id_token))).toBe(revoked.successor);

    const { data, targetId } = await lastEvent();
    expect(targetId).toBe(kid);
    const { successor, tokens } = revoked;
    expect(data).toMatchObject({ reason: 'found in a public bucket', was: 'active', successor, tokens });
    expect(tokens).toBeGreaterThanOrEqual(3);
    const live = { kid, revokedAt: null, expiresAt: { gt: new Date() } };
    expect(await maker.db.prisma.token.count({ where: live })).toBe(0);
    expect((await maker.parts.keys.list()).filter((key) => key.alg === 'ES256' && key.status === 'next')).toHaveLength(
      1,
    );
  });

  test('tokens that are asked for while it is taken away are good afterwards, or are dead', async () => {
    const kid = kidOf(await tokenAt());
    const issued: string[] = [];
    let asking = true;
    const askers = origins().flatMap((origin) =>
      [1, 2].map(async () => {
        while (asking) issued.push(await tokenAt(origin));
      }),
    );
    await until(async () => issued.length > 20);
    await maker.parts.signingKeys.revoke(BY_TEST, { kid, reason: 'while in use' });
    const then = issued.length;
    await until(async () => issued.length > then + 20);
    asking = false;
    await Promise.all(askers);
    const dead = issued.filter((token) => kidOf(token) === kid);
    expect(dead.length).toBeGreaterThan(0);
    expect(dead.length).toBeLessThan(issued.length);
    for (const origin of origins()) await until(async () => !(await publishedAt(origin)).includes(kid), 1);
    const good = { kid, revokedAt: null };
    expect(await maker.db.prisma.token.count({ where: good })).toBe(0);
  });

  test('of those that wait and those that verify only, the others stay as they are', async () => {
    const { signingKeys, keys } = maker.parts;
    const of = async (status: string) =>
      (await keys.list()).filter((key) => key.alg === 'EdDSA' && key.status === status).map(({ kid }) => kid);
    const [waiting = ''] = await of('next');
    const before = await of('active');
    const first = await signingKeys.revoke(BY_TEST, { kid: waiting, reason: 'read with the other' });
    expect(first).toMatchObject({ was: 'next', successor: undefined, tokens: 0 });
    expect(await of('active')).toEqual(before);
    expect(await of('next')).not.toContain(waiting);
    expect(await of('next')).toHaveLength(1);
    moveTime(36);
    await keys.rotate(BY_TEST, 'EdDSA');
    const [signs, former = ''] = [await of('active'), (await of('retiring'))[0]];
    expect(await signingKeys.revoke(BY_TEST, { kid: former, reason: 'late' })).toMatchObject({ was: 'retiring' });
    expect(await of('active')).toEqual(signs);
    const again = signingKeys.revoke(BY_TEST, { kid: former, reason: 'again' });
    await expect(again).rejects.toMatchObject({ code: 'signing_keys.ended', status: 409 });
    const unknown = signingKeys.revoke(BY_TEST, { kid: 'nobody', reason: 'x' });
    await expect(unknown).rejects.toMatchObject({ code: 'signing_keys.not_found', status: 404 });
    await expect(signingKeys.revoke(BY_TEST, { kid: waiting, reason: ' ' })).rejects.toMatchObject({ status: 422 });
  });

  test('of four who take the same key away at once one does', async () => {
    await maker.parts.keys.need('PS256');
    const key = (await maker.parts.keys.list()).find(({ alg, status }) => alg === 'PS256' && status === 'active');
    const tries = Array.from({ length: 4 }, () =>
      maker.parts.signingKeys.revoke(BY_TEST, { kid: key?.kid ?? '', reason: 'all at once' }),
    );
    const results = await Promise.allSettled(tries);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const signs = (await maker.parts.keys.list()).filter(({ alg, status }) => alg === 'PS256' && status === 'active');
    expect(signs).toHaveLength(1);
  });
});

test('an admin sees the keys, rotates them, and takes one away after reading what happens', async () => {
  const admin = await createPerson(maker, { roles: ['admin'] });
  const browser = await browserOf(maker, admin, '/admin/signing-keys');
  const list = await browser.get('/admin/signing-keys');
  expect(list.text).toContain('ES256');
  await maker.parts.keys.maintain();
  moveTime(36);
  const rotated = await browser.submit(list, '/rotate', { alg: 'RS256' });
  expect(rotated.text).toContain('The waiting key signs RS256 from now on.');
  const early = await browser.submit(rotated, '/rotate', { alg: 'RS256' });
  expect(early.text).toContain('services may not know it yet');
  const key = (await maker.parts.keys.list()).find(({ alg, status }) => alg === 'RS256' && status === 'active');
  const ask = await browser.get(`/admin/signing-keys/${key?.kid}/leaked`);
  expect(ask.text).toContain('Every access token that it signed is revoked.');
  const missing = await browser.submit(ask, '/leaked', { reason: ' ' });
  expect(missing.status).toBe(422);
  const done = await browser.submit(ask, '/leaked', { reason: 'a laptop was lost' });
  expect(done.text).toContain('The key was taken away, and 0 tokens with it.');
  expect(await lastEvent()).toMatchObject({ actorId: admin.id, targetId: key?.kid });
  const again = await browser.get(`/admin/signing-keys/${key?.kid}/leaked`);
  expect(again.status).toBe(409);
});
