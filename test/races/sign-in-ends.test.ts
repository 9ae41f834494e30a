import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { generate } from 'otplib';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeRequest, getCode, redeem } from '../support/oauth.ts';
import { BY_TEST, createApplication, createPerson } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { until } from '../support/until.ts';

let postern: Postern;

beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

const WAITING = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;

/** Begins `first`, which waits for what `hold` locks, and then `second`, which waits for what `first` has locked. */
async function oneInTheOther<T>(hold: string, key: unknown, first: () => Promise<T>, second: () => Promise<unknown>) {
  const waiting = async () => (await postern.db.query('test-waiting', WAITING, [])).length;
  const begun = await postern.db.tx(async (tx) => {
    await tx.$queryRawUnsafe(hold, key);
    const one = first();
    await until(async () => (await waiting()) === 1);
    const other = second();
    await until(async () => (await waiting()) === 2);
    return { one, other };
  });
  const [result] = await Promise.all([begun.one, begun.other]);
  return result;
}

/** Posts the code and does not follow where that leads: back into the authorization request. */
async function proveFactor(agent: Agent, factor: Page, code: string): Promise<string> {
  const [form] = factor.forms.filter(({ inputs }) => inputs.includes('code'));
  const answer = await fetch(new URL(form?.action ?? '', factor.url), {
    method: 'POST',
    headers: { cookie: agent.cookies.map(({ name, value }) => `${name}=${value}`).join('; ') },
    body: new URLSearchParams({ ...form?.fields, code }),
    redirect: 'manual',
  });
  return answer.headers.get('location') ?? '';
}

test('S79 where all sessions of a person end while one begins, its grant ends with it, and so does its code', async () => {
  const person = await createPerson(postern);
  const application = await createApplication(postern);
  const lasting = { scope: 'openid offline_access' };
  await getCode(createAgent(postern.url), application, person, { ...lasting, prompt: 'consent' });
  const agent = createAgent(postern.url);
  const { params, verifier } = codeRequest(application, lasting);
  const { email: login, password } = person;
  const factor = await agent.submit(await agent.get(authorizePath(params)), 'password', { login, password });
  const resume = await proveFactor(agent, factor, await person.code());
  const page = await oneInTheOther(
    'SELECT 1 FROM user_account WHERE id = $1::uuid FOR UPDATE',
    person.id,
    () => agent.get(resume),
    () => postern.parts.users.endSessions(person.id, BY_TEST),
  );
  const code = page.leaves?.searchParams.get('code') ?? '';
  const { status, body } = await redeem(postern.url, application, { code, verifier });
  expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_grant' });
  const alive = 'SELECT kind FROM token WHERE user_id = $1 AND revoked_at IS NULL';
  expect(await postern.db.query('test-alive', alive, [person.id])).toEqual([]);
});

test('S79 a code that ends a sign-in, and a new factor that ends all others of its person, wait for each other in turn', async () => {
  const person = await createPerson(postern);
  const application = await createApplication(postern);
  const [recovery = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
  const { email: login, password } = person;
  const atFactor = async (agent: Agent) => {
    const page = await agent.get(authorizePath(codeRequest(application).params));
    return agent.submit(page, 'password', { login, password });
  };
  const [here, there] = [createAgent(postern.url), createAgent(postern.url)];
  const factor = await atFactor(here);
  const lost = await atFactor(there);
  const enroll = await there.submit(await there.get(lost.url.replace(/factor$/, 'recovery')), 'code', {
    code: recovery,
  });
  const [key = ''] = /(?:[A-Z2-7]{4} ?){8}/.exec(enroll.text) ?? [];
  const [known, fresh] = [await person.code(), await generate({ secret: key.replaceAll(' ', '') })];
  const uid = /interaction\/([^/]+)/.exec(factor.url)?.[1] ?? '';
  const answers: Promise<Page>[] = [];
  await oneInTheOther(
    'SELECT 1 FROM sign_in_attempt WHERE uid_hash = $1 FOR UPDATE',
    createHash('sha256').update(uid).digest(),
    async () => answers.push(here.submit(factor, 'code', { code: known })) && answers[0],
    async () => answers.push(there.submit(enroll, 'code', { code: fresh })) && answers[1],
  );
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([expect.any(Number), 200]);
});

test('S78 a code that ends a sign-in, and an admin who deletes its person, wait for each other in turn', async () => {
  const person = await createPerson(postern);
  const agent = createAgent(postern.url);
  const { email: login, password } = person;
  const page = await agent.get(authorizePath(codeRequest(await createApplication(postern)).params));
  const factor = await agent.submit(page, 'password', { login, password });
  const code = await person.code();
  const answer = await oneInTheOther(
    'SELECT 1 FROM totp_factor WHERE user_id = $1::uuid FOR UPDATE',
    person.id,
    () => agent.submit(factor, 'code', { code }),
    () => postern.parts.users.delete(person.id, BY_TEST),
  );
  expect(answer.status).toBeLessThan(500);
  expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(0);
});

test('S79 a password that was changed while it was verified leads to no second factor', async () => {
  const person = await createPerson(postern);
  const { parts, db } = postern;
  const agent = createAgent(postern.url);
  const { email: login, password } = person;
  const page = await agent.get(authorizePath(codeRequest(await createApplication(postern)).params));
  await agent.submit(page, 'password', { login, password: 'not the right one' });
  const hash = await parts.credentials.hashPassword('something else altogether');
  const { answer } = await db.tx(async (tx) => {
    await tx.$queryRawUnsafe('SELECT 1 FROM abuse_counter FOR UPDATE');
    const proof = agent.submit(page, 'password', { login, password });
    await until(async () => (await db.query('test-waiting', WAITING, [])).length === 1);
    await db.tx(async (other) => {
      await other.signInAttempt.deleteMany({ where: { userId: person.id } });
      await parts.credentials.setPassword(other, person.id, hash);
    });
    return { answer: proof };
  });
  expect((await answer).url).not.toMatch(/factor$/);
  const used = { action: 'user.factor_used', targetId: person.id };
  expect(await db.prisma.auditEvent.count({ where: { ...used, outcome: 'success' } })).toBe(0);
  expect(await db.prisma.auditEvent.count({ where: { ...used, outcome: 'failure' } })).toBe(2);
  expect(await db.prisma.signInAttempt.count({ where: { userId: person.id } })).toBe(0);
});
