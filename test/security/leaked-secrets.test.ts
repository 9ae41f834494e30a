import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateClientSecret } from '../../src/platform/crypto/secrets.ts';
import { createAgent } from '../support/browserless.ts';
import { browserOf, freshAddress } from '../support/console.ts';
import { clientCredentials, getCode, introspect, redeem, refresh } from '../support/oauth.ts';
import {
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let admin: Person;
let audience: string;

beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_TRUSTED_PROXIES: '127.0.0.1' } });
  audience = await createApi(postern, ['read']);
  admin = await createPerson(postern, { roles: ['admin'] });
});
afterAll(() => postern.close());

/** Each report comes from an address of its own, unless one is given. */
function report(body: unknown, origin = postern.url, address = freshAddress()): Promise<Response> {
  return fetch(`${origin}/leaked-secrets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
    body: JSON.stringify(body),
  });
}

const service = () => createService(postern, [`${audience}#read`]);
const leaksOf = (clientId: string) =>
  postern.db.prisma.auditEvent.findMany({ where: { action: 'client.secret_leaked', clientId } });

/** What an answer says, without what every answer has of its own. */
async function said(response: Response): Promise<unknown> {
  const headers = [...response.headers].filter(
    ([name]) => !['date', 'x-request-id', 'content-security-policy'].includes(name),
  );
  return { status: response.status, headers, body: await response.text() };
}

describe('a secret that somebody found', () => {
  test('is retired at once with every token of its client, and the event says where it was', async () => {
    const leaked = await service();
    const { body } = await clientCredentials(postern.url, leaked);
    const other = await service();
    const kept = (await clientCredentials(postern.url, other)).body.access_token;

    const url = `https://user:pass@git.example/blob/main/.env?x=${leaked.secret}`;
    const answer = await report({ secret: leaked.secret, url });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('cache-control')).toBe('no-store');

    await until(async () => (await clientCredentials(postern.url, leaked)).status === 401);
    const asker = await createService(postern, [`${audience}#read`]);
    const { secret } = await postern.parts.serviceAccounts.rotateSecret(leaked.id, 0, BY_TEST);
    await until(async () => (await clientCredentials(postern.url, { ...leaked, secret })).status === 200);
    expect(await introspect(postern.url, { ...leaked, secret }, String(body.access_token))).toEqual({ active: false });
    expect(await introspect(postern.url, other, String(kept))).toMatchObject({ active: true });
    expect((await clientCredentials(postern.url, asker)).status).toBe(200);

    const [event, ...more] = await leaksOf(leaked.clientId);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      outcome: 'success',
      actorType: 'anonymous',
      targetType: 'service_account',
      targetId: leaked.id,
      data: {
        secretPrefix: leaked.secret.slice(0, 10),
        revokedTokens: 1,
        url: 'https://git.example/blob/main/.env?x=[secret]',
      },
    });
    expect(event?.address).toMatch(/^198\.51\./);
  });

  test('of two that work only the one that leaked ends', async () => {
    const leaked = await service();
    const { secret } = await postern.parts.serviceAccounts.rotateSecret(leaked.id, 86_400, BY_TEST);
    await report({ secret: leaked.secret });
    await until(async () => (await clientCredentials(postern.url, leaked)).status === 401);
    expect((await clientCredentials(postern.url, { ...leaked, secret })).status).toBe(200);
  });

  test('of an application ends its refresh tokens too', async () => {
    const application = await createApplication(postern);
    const person = await createPerson(postern);
    const got = await getCode(createAgent(postern.url), application, person, {
      scope: 'openid offline_access',
      prompt: 'consent',
    });
    const { body } = await redeem(postern.url, application, got);
    await report({ secret: application.secret });
    const { secret } = await postern.parts.applications.rotateSecret(application.clientId, 0, BY_TEST);
    await until(async () => (await clientCredentials(postern.url, application)).status === 401);
    const refused = await refresh(postern.url, { ...application, secret }, String(body.refresh_token));
    expect(refused.body.error).toBe('invalid_grant');
    expect((await leaksOf(application.clientId))[0]?.targetType).toBe('client');
  });

  test('is told to the admins by mail and on the page of its client, and the secret is written nowhere', async () => {
    const leaked = await service();
    await report({ secret: leaked.secret, url: `https://git.example/${leaked.secret}` });
    const folder = join(postern.dataDir, 'mail');
    const prefix = leaked.secret.slice(0, 10);
    const mails = () => readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    await until(async () => mails().some((text) => text.includes(prefix) && text.includes(admin.email)));
    for (const text of mails()) expect(text).not.toContain(leaked.secret);
    expect(postern.lines.join('')).not.toContain(leaked.secret);

    const page = await (await browserOf(postern, admin, '/admin')).get(`/admin/service-accounts/${leaked.id}`);
    expect(page.text).toContain('A secret of this client was reported as leaked');
    expect(page.text).toContain(`${prefix}…`);
    expect(page.html).toContain(`/admin/audit/${(await leaksOf(leaked.clientId))[0]?.id}`);
  });

  test('a form does as well as JSON', async () => {
    const leaked = await service();
    const body = new URLSearchParams({ secret: leaked.secret, url: '' });
    expect((await fetch(`${postern.url}/leaked-secrets`, { method: 'POST', body })).status).toBe(202);
    expect(await leaksOf(leaked.clientId)).toHaveLength(1);
  });
});

describe('nothing is learned by asking', () => {
  test('the answer is the same for a live secret, an unknown one, a look-alike and any other text', async () => {
    const leaked = await service();
    const expected = await said(await report({ secret: leaked.secret }));
    expect(await leaksOf(leaked.clientId)).toHaveLength(1);
    for (const secret of [
      leaked.secret,
      generateClientSecret().secret,
      `${leaked.secret}0`,
      'pst_x',
      '',
      '€'.repeat(9),
    ]) {
      expect(await said(await report({ secret }))).toEqual(expected);
    }
    expect(await leaksOf(leaked.clientId)).toHaveLength(1);
  });

  test('S42 a text with a wrong checksum does not reach the database', async () => {
    const { secret } = generateClientSecret();
    const statements: string[] = [];
    const wrong = `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`;
    const realTx = postern.db.tx;
    postern.db.tx = ((work: never) => {
      statements.push('tx');
      return realTx(work);
    }) as typeof realTx;
    try {
      await report({ secret: wrong });
      expect(statements).toEqual([]);
      await report({ secret });
      expect(statements).toEqual(['tx']);
    } finally {
      postern.db.tx = realTx;
    }
  });

  test('a secret that has ended already, by time or by rotation, ends nothing', async () => {
    const rotated = await service();
    const { secret } = await postern.parts.serviceAccounts.rotateSecret(rotated.id, 0, BY_TEST);
    await report({ secret: rotated.secret });
    expect(await leaksOf(rotated.clientId)).toEqual([]);
    const { prisma } = postern.db;
    await prisma.clientSecret.updateMany({
      where: { clientId: rotated.clientId },
      data: { expiresAt: new Date(Date.now() - 1000) },
    });
    await report({ secret });
    expect(await leaksOf(rotated.clientId)).toEqual([]);
  });

  test.each([
    [{}],
    [{ secret: 1 }],
    [{ secret: ['x'] }],
    [{ secret: { not: '' } }],
    [{ secret: 'x', other: 'y' }],
    [{ secret: 'x', url: 'javascript:alert(1)' }],
    [{ secret: 'x', url: 'not an address' }],
    [{ secret: generateClientSecret().secret, url: 'ftp://files.example' }],
    [[]],
    ['x'],
  ])('S92 %j is refused as what it is', async (body) => {
    expect([400, 422]).toContain((await report(body)).status);
  });

  test('one address may report so many, and no more', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 61; i++) statuses.push((await report({ secret: 'x' }, postern.url, '203.0.113.77')).status);
    expect(new Set(statuses.slice(0, 60))).toEqual(new Set([202]));
    expect(statuses[60]).toBe(429);
    expect((await report({ secret: 'x' })).status).toBe(202);
  });
});

describe('over two processes', () => {
  let processes: PosternProcess[] = [];
  beforeAll(async () => {
    processes = await startProcesses(2, postern.databaseUrl);
  });
  afterAll(() => Promise.all(processes.map((one) => one.stop())));
  const both = (client: Service) =>
    Promise.all(processes.map(async ({ url }) => (await clientCredentials(url, client)).status));

  test('a secret that is reported at one is refused at both within a second', async () => {
    const leaked = await service();
    expect(await both(leaked)).toEqual([200, 200]);
    // The notification of its own making has come by then: from now on both keep what they know of it.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await both(leaked)).toEqual([200, 200]);
    const began = performance.now();
    expect((await report({ secret: leaked.secret }, processes[0]?.url)).status).toBe(202);
    await until(async () => (await both(leaked)).every((status) => status === 401), 1);
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  test('of 20 reports at once one ends it, and there is one event', async () => {
    const leaked = await service();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => report({ secret: leaked.secret }, processes[index % 2]?.url)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await leaksOf(leaked.clientId)).toHaveLength(1);
  });

  test('a rotation at the same moment leaves neither a deadlock nor the leaked secret', async () => {
    const accounts = await Promise.all(Array.from({ length: 8 }, service));
    await Promise.all(
      accounts.flatMap((leaked, index) => [
        report({ secret: leaked.secret }, processes[index % 2]?.url).then(({ status }) => expect(status).toBe(202)),
        postern.parts.serviceAccounts.rotateSecret(leaked.id, 86_400, BY_TEST),
      ]),
    );
    for (const leaked of accounts) await until(async () => (await both(leaked)).every((status) => status === 401), 2);
  });
});
