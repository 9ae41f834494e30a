import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { assertion, createSigner, sendAssertion } from '../support/assertions.ts';
import { browserOf } from '../support/console.ts';
import { asClient, clientCredentials, introspect, postForm } from '../support/oauth.ts';
import { BY_TEST, createApi, createApplication, createPerson, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime, resetTime } from '../support/time.ts';

let postern: Postern;
let permission: string;

beforeAll(async () => {
  postern = await startPostern();
  permission = `${await createApi(postern, ['read'])}#read`;
});
afterAll(() => postern.close());

/** In a process of its own, which writes what was used at its end at the latest. */
async function within(use: (url: string) => Promise<unknown>): Promise<void> {
  const other = await startPostern({ databaseUrl: postern.databaseUrl });
  try {
    await use(other.url);
  } finally {
    await other.close({ keepTime: true });
  }
}

async function usedAt(clientId: string) {
  const { secrets, serviceAccount } = await postern.db.prisma.client.findUniqueOrThrow({
    where: { clientId },
    include: { secrets: { orderBy: { createdAt: 'asc' } }, serviceAccount: true },
  });
  return { secrets: secrets.map((secret) => secret.lastUsedAt), account: serviceAccount?.lastUsedAt ?? null };
}

const some = expect.any(Date);

test('the secret that was used is known, and the account; a wrong one is no use', async () => {
  const service = await createService(postern, [permission]);
  const { secret } = await postern.parts.serviceAccounts.rotateSecret(service.id, 86_400, BY_TEST);
  await within(async (url) => {
    expect((await clientCredentials(url, { ...service, secret: `${service.secret}x` })).status).toBe(401);
  });
  expect(await usedAt(service.clientId)).toEqual({ secrets: [null, null], account: null });
  await within(async (url) => {
    expect((await clientCredentials(url, { ...service, secret })).status).toBe(200);
  });
  expect(await usedAt(service.clientId)).toEqual({ secrets: [null, some], account: some });
});

test.each([
  // With a parameter that the short way does not know: the library answers.
  ['a token by way of the library', (url, client) => clientCredentials(url, client, { unknown: 'x' })],
  ['a request that is refused for its scope', (url, client) => clientCredentials(url, client, { scope: 'nothing' })],
  ['introspection', (url, client) => introspect(url, client, 'nothing')],
  ['revocation', (url, client) => postForm(`${url}/oauth2/revoke`, { token: 'nothing' }, asClient(client).headers)],
] as [string, (url: string, client: { clientId: string; secret: string }) => Promise<unknown>][])(
  '%s counts as use',
  async (_name, use) => {
    const service = await createService(postern, [permission]);
    const application = await createApplication(postern);
    await within(async (url) => {
      await use(url, service);
      await use(url, application);
    });
    expect(await usedAt(service.clientId)).toEqual({ secrets: [some], account: some });
    expect(await usedAt(application.clientId)).toEqual({ secrets: [some], account: null });
  },
);

test('S28 an assertion counts as use of the account when it is good, and once', async () => {
  const signer = await createSigner(postern, permission);
  await within(async (url) => {
    const other = { ...signer, issuer: url };
    expect((await sendAssertion(url, await assertion(other, { aud: 'https://elsewhere.example' }))).status).toBe(401);
  });
  expect((await usedAt(signer.clientId)).account).toBeNull();
  let sent = '';
  await within(async (url) => {
    sent = await assertion({ ...signer, issuer: url });
    expect((await sendAssertion(url, sent)).status).toBe(200);
  });
  const { account } = await usedAt(signer.clientId);
  expect(account).toEqual(some);
});

test('what is older does not take the place of what is newer', async () => {
  const service = await createService(postern, [permission]);
  moveTime(600);
  await within((url) => clientCredentials(url, service));
  const newer = await usedAt(service.clientId);
  resetTime();
  await within((url) => clientCredentials(url, service));
  expect(await usedAt(service.clientId)).toEqual(newer);
});

test('the pages show it, and find accounts that were not used for 90 days', async () => {
  const admin = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
  const [used, idle, fresh] = [
    await createService(postern, [permission]),
    await createService(postern, [permission]),
    await createService(postern, [permission]),
  ];
  await within((url) => clientCredentials(url, used));
  const long = new Date(Date.now() - 91 * 86_400_000);
  const { prisma } = postern.db;
  await prisma.serviceAccount.update({ where: { id: idle.id }, data: { lastUsedAt: long, createdAt: long } });
  const nameOf = async ({ id }: { id: string }) =>
    (await prisma.serviceAccount.findUniqueOrThrow({ where: { id } })).name;

  const page = await admin.get(`/admin/service-accounts/${fresh.id}`);
  expect(page.text.match(/Last used Never|Never/g)?.length).toBeGreaterThanOrEqual(2);
  expect((await admin.get(`/admin/service-accounts/${used.id}`)).text).not.toMatch(/\bNever\b/);

  const list = await admin.get('/admin/service-accounts');
  expect(list.text).toContain('Last used');
  const unused = await admin.get('/admin/service-accounts?used=not_90_days');
  expect(unused.text).toContain(await nameOf(idle));
  for (const other of [used, fresh]) expect(unused.text).not.toContain(await nameOf(other));

  const application = await createApplication(postern);
  expect((await admin.get(`/admin/applications/${application.clientId}`)).text).toMatch(/\bNever\b/);
});
