import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generate } from 'otplib';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf, isSignedIn } from '../support/console.ts';
import { copyTemplate } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { authorizePath, clientCredentials, codeRequest, getCode, redeem } from '../support/oauth.ts';
import { BY_TEST, createApplication, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

let postern: Postern;

beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

/** Newest first, as the audit page lists them. */
async function eventsOf(person: Pick<Person, 'id'>, action: string) {
  const rows = await postern.db.prisma.auditEvent.findMany({
    where: { action, OR: [{ actorId: person.id }, { targetId: person.id }] },
    orderBy: { id: 'desc' },
  });
  return rows.map(({ outcome, reason, data }) =>
    `${(data as { factor?: string } | null)?.factor ?? ''} ${outcome} ${reason ?? ''}`.trim(),
  );
}

function mails(person: Pick<Person, 'email'>): string[] {
  const folder = join(postern.dataDir, 'mail');
  const all = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  return all.filter((mail) => mail.includes(`To: ${person.email}`));
}

async function atFactor(person: Person): Promise<{ agent: Agent; page: Page }> {
  const agent = createAgent(postern.url);
  const first = await agent.get('/account');
  return { agent, page: await agent.submit(first, 'password', { login: person.email, password: person.password }) };
}

const keyOn = (page: Page) => /\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b/.exec(page.text)?.[0].replaceAll(' ', '') ?? '';
const codesOn = (page: Page) => page.text.match(/\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b/g) ?? [];

test('S89 every success and failure of every factor is written down, with who, from where and for what', async () => {
  const person = await createPerson(postern);
  const [recovery = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
  const agent = createAgent(postern.url);
  const ask = { 'user-agent': 'Firefox/150.0 (test)' };
  const first = await agent.get('/account', ask);
  const uid = first.url;
  const post = (page: Page, fields: Record<string, string>, step: string) =>
    agent.post(`${uid}/${step}`, { _csrf: page.forms[0]?.fields._csrf ?? '', ...fields }, ask);
  await post(first, { login: person.email, password: 'wrong' }, 'password');
  const factor = await post(first, { login: person.email, password: person.password }, 'password');
  await post(factor, { code: '000000' }, 'factor');
  await post(factor, { code: 'AAAA-AAAA-AAAA-AAAA' }, 'recovery');
  const code = await person.code();
  await post(factor, { code }, 'factor');
  const again = await atFactor(person);
  await again.agent.submit(again.page, 'code', { code });
  await again.agent.post(again.page.url.replace('factor', 'recovery'), {
    ...again.page.forms[0]?.fields,
    code: recovery,
  });

  expect(await eventsOf(person, 'user.factor_used')).toEqual([
    'recovery success',
    'totp failure code_reused',
    'password success',
    'totp success',
    'recovery failure wrong_code',
    'totp failure wrong_code',
    'password success',
    'password failure wrong_password',
  ]);
  expect(await eventsOf(person, 'user.sign_in')).toEqual(['success']);
  const row = await postern.db.prisma.auditEvent.findFirstOrThrow({
    where: { action: 'user.sign_in', actorId: person.id },
  });
  expect(row).toMatchObject({
    actorType: 'user',
    actorName: person.email,
    clientId: 'postern-console',
    address: '127.0.0.1',
    userAgent: ask['user-agent'],
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    data: { amr: ['pwd', 'otp', 'mfa'], acr: 'urn:postern:aal2' },
  });
  expect(Math.abs(row.time.getTime() - Date.now())).toBeLessThan(60_000);
});

test('S72 an invitation works until its time is over, to the second', async () => {
  const { inviteUrl, expiresAt } = await postern.parts.users.invite(
    { email: 'late@example.com', name: 'Late' },
    BY_TEST,
  );
  const guest = createAgent(postern.url);
  const page = await guest.get(inviteUrl);
  const left = (expiresAt.getTime() - Date.now()) / 1000;
  expect(left).toBeGreaterThan(72 * 3600 - 60);
  moveTime(left - 2);
  expect((await guest.get(inviteUrl)).status).toBe(200);
  moveTime(3);
  expect((await guest.get(inviteUrl)).status).toBe(404);
  expect((await guest.submit(page, 'password', { password: 'seven green elephants' })).status).toBe(404);
  expect((await postern.parts.accounts.findByLogin('late@example.com'))?.status).toBe('invited');
});

test('S73 S68 a factor that was replaced by way of a recovery code: the owner is told, and only the new one counts', async () => {
  const person = await createPerson(postern);
  const elsewhere = await browserOf(postern, person);
  const [recovery = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
  const { agent, page } = await atFactor(person);
  const form = await agent.get(page.url.replace('factor', 'recovery'));
  const enroll = await agent.submit(form, 'code', { code: recovery.toLowerCase().replaceAll('-', ' ') });
  const key = keyOn(enroll);
  expect(key).toHaveLength(32);
  const codes = await agent.submit(enroll, 'code', {
    code: await generate({ secret: key, epoch: Math.floor(Date.now() / 1000) }),
  });
  expect(codesOn(codes)).toHaveLength(10);
  const done = await agent.submit(codes, '/recovery-codes');
  expect(done.url).toBe(`${postern.url}/account`);
  expect(mails(person)).toEqual([expect.stringContaining('Your second factor was replaced')]);
  expect(mails(person)[0]).not.toContain(key);
  expect(await isSignedIn(elsewhere)).toBe(false);
  const old = await atFactor(person);
  expect((await old.agent.submit(old.page, 'code', { code: await person.code() })).status).toBe(422);
});

describe('S91 S86 secrets', () => {
  test('S91 S86 of a whole run none stands in a log, in the audit trail or in clear in the database', async () => {
    const fresh = await startPostern();
    const secrets = new Map<string, string>();
    const keep = (what: string, value: string | undefined) => {
      expect([what, (value ?? '').length > 7]).toEqual([what, true]);
      secrets.set(what, value ?? '');
    };
    const cookies = (who: string, agent: Agent) => {
      for (const { name, value } of agent.cookies) if (value.length > 20) keep(`${who} ${name}`, value);
    };
    try {
      const password = 'seven green elephants';
      const admin = createAgent(fresh.url);
      const link = (await fresh.setupLink()) ?? '';
      keep('setup token', new URL(link).searchParams.get('token') ?? '');
      keep('password', password);
      const form = await admin.get(link);
      const ready = await admin.submit(form, 'password', { email: 'ada@example.com', name: 'Ada', password });
      cookies('ticket', admin);
      const enroll = await admin.post(`${ready.url}/ticket`, { _csrf: ready.forms[0]?.fields._csrf ?? '' });
      const key = keyOn(enroll);
      keep('seed', key);
      const epoch = Math.floor(Date.now() / 1000);
      const codes = await admin.submit(enroll, 'code', { code: await generate({ secret: key, epoch }) });
      for (const code of codesOn(codes)) keep(`recovery ${code}`, code);
      const overview = await admin.submit(codes, '/recovery-codes');
      expect(overview.url).toBe(`${fresh.url}/admin`);
      cookies('admin', admin);

      // A password in the wrong field, a wrong one, and one that was changed.
      const stranger = createAgent(fresh.url);
      const page = await stranger.get('/account');
      keep('mistyped', 'my secret pass phrase 7');
      await stranger.submit(page, 'password', { login: 'my secret pass phrase 7', password: 'another secret 8' });
      keep('wrong', 'another secret 8');
      cookies('stranger', stranger);

      await admin.submit(await admin.get('/admin/apis/new'), 'audience', {
        audience: 'https://orders.example.com',
        permissions: 'orders.read',
      });
      const made = await admin.submit(await admin.get('/admin/service-accounts/new'), 'description', {
        name: 'order-intake',
        'permissions[]': 'https://orders.example.com#orders.read',
      });
      const secret = /pst_[\w-]{49}/.exec(made.html)?.[0];
      keep('client secret', secret);
      const clientId =
        /\bsvc_\w+|\bsa_\w+/.exec(made.text)?.[0] ?? (await fresh.db.prisma.client.findFirstOrThrow()).clientId;
      const account = await fresh.db.prisma.serviceAccount.findFirstOrThrow();
      for (const path of ['', '/edit', '/permissions']) {
        expect((await admin.get(`/admin/service-accounts/${account.id}${path}`)).html).not.toContain(secret);
      }
      const token = await clientCredentials(
        fresh.url,
        { clientId, secret: secret ?? '' },
        { resource: 'https://orders.example.com' },
      );
      keep('access token', token.body.access_token);
      const wrong = await clientCredentials(fresh.url, { clientId, secret: 'pst_wrong-but-still-a-secret' });
      expect(wrong.status).toBe(401);
      keep('wrong secret', 'pst_wrong-but-still-a-secret');

      const invited = await admin.submit(await admin.get('/admin/users/new'), 'email', {
        email: 'bo@example.com',
        name: 'Bo',
      });
      const invitation = /\/invite\?token=([\w-]+)/.exec(invited.html)?.[1];
      keep('invitation', invitation);
      const guest = createAgent(fresh.url);
      await guest.get(`/invite?token=${invitation}`);
      const { id } = (await fresh.parts.accounts.findByLogin('bo@example.com')) ?? { id: '' };
      expect((await admin.get(`/admin/users/${id}`)).html).not.toContain(invitation);

      const application = await createApplication(fresh);
      keep('application secret', application.secret);
      const got = await getCode(admin, application, undefined as never, {
        scope: 'openid offline_access',
        prompt: 'consent',
      });
      keep('code', got.code);
      keep('verifier', got.verifier);
      const { body } = await redeem(fresh.url, application, got);
      for (const name of ['access_token', 'id_token', 'refresh_token']) keep(name, body[name] as string);
      await fetch(`${fresh.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${body.access_token}x` } });
      await admin.get(authorizePath(codeRequest(application, { id_token_hint: body.id_token ?? '' }).params));

      const logs = JSON.stringify(fresh.logged);
      expect(fresh.logged.length).toBeGreaterThan(30);
      const trail = JSON.stringify(await fresh.db.query('trail', 'SELECT to_json(e) AS row FROM audit_event e', []));
      expect(trail.length).toBeGreaterThan(3000);
      const tables = await fresh.db.query<{ name: string }>(
        'tables',
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        [],
      );
      let rest = '';
      for (const { name } of tables) {
        rest += JSON.stringify(await fresh.db.query(`all-${name}`, `SELECT to_json(t) AS row FROM "${name}" t`, []));
      }
      const found = [...secrets].flatMap(([what, value]) => [
        ...(logs.includes(value) ? [`${what} in the log`] : []),
        ...(trail.includes(value) ? [`${what} in the audit trail`] : []),
        ...(rest.includes(value) ? [`${what} in the database`] : []),
      ]);
      expect(found).toEqual([]);
      expect(secrets.size).toBeGreaterThan(25);
    } finally {
      await fresh.close({ keepTime: true });
    }
  });
});

test('S93 without the database nobody is let in, nothing is told, and all is well again afterwards', async () => {
  const database = await copyTemplate();
  const proxy = await startDatabaseProxy(database.url);
  const fresh = await startPostern({ databaseUrl: proxy.url });
  try {
    const person = await createPerson(fresh, { roles: ['admin'] });
    const admin = await browserOf(fresh, person, '/admin');
    const agent = createAgent(fresh.url);
    const page = await agent.get('/account');
    const password = await admin.get('/account/password');
    const later = createAgent(fresh.url);
    const factor = await later.submit(await later.get('/account'), 'password', {
      login: person.email,
      password: person.password,
    });
    const code = await person.code();
    await proxy.cut();
    try {
      const answers: [string, Page][] = [
        ['password', await agent.submit(page, 'password', { login: person.email, password: person.password })],
        ['factor', await later.submit(factor, 'code', { code })],
        ['admin', await admin.get('/admin')],
        ['users', await admin.get('/admin/users')],
        ['account', await admin.get('/account')],
        [
          'change',
          await admin.submit(password, 'current_password', {
            current_password: 'x',
            password: 'seven green elephants',
          }),
        ],
        ['setup', await createAgent(fresh.url).get('/setup?token=x')],
        ['begin', await createAgent(fresh.url).get('/console/sign-in')],
      ];
      for (const [what, answer] of answers) {
        expect([what, answer.status]).toEqual([what, 503]);
        expect([what, Number(answer.headers.get('retry-after'))]).toEqual([what, expect.any(Number)]);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(answer.text).not.toMatch(/postgres|prisma|ECONN|57P01|55000|pool|\.ts\b|database "/i);
        expect(answer.text).toMatch(/Request id: [0-9a-f-]{36}/);
      }
      expect((await fetch(`${fresh.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${fresh.url}/healthz`)).status).toBe(200);
    } finally {
      await proxy.restore();
    }
    await until(async () => (await fetch(`${fresh.url}/readyz`)).status === 200, 10);
    expect((await admin.get('/admin')).url).toBe(`${fresh.url}/admin`);
    // The try that met the outage neither used the code up nor counted.
    expect((await later.submit(factor, 'code', { code })).url).toBe(`${fresh.url}/account`);
    expect((await signIn(agent, page, person)).url).toBe(`${fresh.url}/account`);
  } finally {
    await fresh.close();
    await proxy.cut();
    await database.drop();
  }
});
