import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { csrfOf } from '../support/console.ts';
import { authorizePath, codeRequest } from '../support/oauth.ts';
import { type Application, BY_TEST, createApplication, createPerson, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { until } from '../support/until.ts';

/** Two processes on one database; every try goes to either of them in turn. */
let postern: Postern;
let neighbour: PosternProcess;
let application: Application;

const TRIES = 50;
const password = 'seven green elephants';

beforeAll(async () => {
  postern = await startPostern();
  const [other] = await startProcesses(1, postern.databaseUrl);
  neighbour = other as PosternProcess;
  application = await createApplication(postern);
});
afterAll(async () => {
  await neighbour?.stop();
  await postern.close();
});

interface Waiting {
  agent: Agent;
  uid: string;
  csrf: string;
}

/** A browser that proved the password and is asked for the second factor. */
async function atFactor(person: Person): Promise<Waiting> {
  const agent = createAgent(postern.url);
  const first = await agent.get(authorizePath(codeRequest(application).params));
  const page = await agent.submit(first, 'password', { login: person.email, password: person.password });
  const uid = /\/interaction\/([\w-]+)\/factor$/.exec(page.url)?.[1];
  if (!uid) throw new Error(`not asked for a factor but at ${page.url}: ${page.text}`);
  return { agent, uid, csrf: csrfOf(page) };
}

/** Sends all of them at once, half to each process. */
function both(work: (origin: string, index: number) => Promise<Page>): Promise<Page[]> {
  return Promise.all(
    Array.from({ length: TRIES }, (_, index) => work(index % 2 === 0 ? postern.url : neighbour.url, index)),
  );
}

/** How often something happened, by the audit trail. */
function events(personId: string, action: string, outcome = 'success'): Promise<number> {
  return postern.db.prisma.auditEvent.count({ where: { action, outcome, targetId: personId } });
}

describe('S65 S70 what one person proved in an interaction counts for nobody else', () => {
  test('a recovery code is of no use to the person whose password was proven while it was looked up', async () => {
    const [mallory, alice] = [await createPerson(postern), await createPerson(postern)];
    const { recovery } = postern.parts.credentials;
    const [code = ''] = await postern.db.tx((tx) => recovery.create(tx, mallory.id));
    const { agent, uid, csrf } = await atFactor(mallory);
    let proof: Promise<Page> | undefined;
    await postern.db.tx(async (tx) => {
      await tx.$queryRaw`SELECT 1 AS held FROM recovery_code WHERE user_id = ${mallory.id}::uuid FOR UPDATE`;
      proof = agent.clone().post(`/interaction/${uid}/recovery`, { _csrf: csrf, code });
      await until(async () => (await waitingForCodes()) > 0);
      const { email: login, password: known } = alice;
      await agent.post(`/interaction/${uid}/password`, { _csrf: csrf, login, password: known });
    });
    expect((await proof)?.status).toBe(200);
    expect((await agent.get(`/interaction/${uid}`)).url).toMatch(/\/factor$/);
    expect((await agent.get(`/interaction/${uid}/enroll`)).url).toMatch(/\/factor$/);
    const attempts = await postern.db.prisma.signInAttempt.findMany({ where: { userId: alice.id } });
    expect(attempts.map(({ amr, mustEnroll }) => ({ amr, mustEnroll }))).toEqual([{ amr: ['pwd'], mustEnroll: false }]);
  });
});

describe('50 parallel tries over two processes have one winner', () => {
  test('S66 of one authenticator code, in ten browsers', async () => {
    const person = await createPerson(postern);
    const code = await person.code();
    const waiting: Waiting[] = [];
    for (let i = 0; i < 10; i++) waiting.push(await atFactor(person));
    const answers = await both((origin, index) => {
      const { agent, uid, csrf } = waiting[index % waiting.length] as Waiting;
      return agent.post(`${origin}/interaction/${uid}/factor`, { _csrf: csrf, code });
    });
    expect(answers.every(({ status }) => status < 500)).toBe(true);
    expect(await events(person.id, 'user.sign_in')).toBe(1);
    expect(
      await postern.db.prisma.auditEvent.count({ where: { reason: 'code_reused', targetId: person.id } }),
    ).toBeGreaterThan(0);
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBeLessThanOrEqual(1);
  });

  test('S68 of one recovery code, in ten browsers', async () => {
    const person = await createPerson(postern);
    const codes = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
    const waiting: Waiting[] = [];
    for (let i = 0; i < 10; i++) waiting.push(await atFactor(person));
    const answers = await both((origin, index) => {
      const { agent, uid, csrf } = waiting[index % waiting.length] as Waiting;
      return agent.post(`${origin}/interaction/${uid}/recovery`, { _csrf: csrf, code: codes[3] ?? '' });
    });
    expect(answers.every(({ status }) => status < 500)).toBe(true);
    const standing = await Promise.all(waiting.map(({ agent, uid }) => agent.get(`/interaction/${uid}`)));
    expect(standing.filter(({ url }) => url.endsWith('/enroll'))).toHaveLength(1);
    expect((await postern.parts.credentials.factorsOf(person.id)).recoveryLeft).toBe(9);
  });

  test('S69 S72 of one invitation', async () => {
    const email = 'invited.once@example.com';
    const { user, inviteUrl } = await postern.parts.users.invite({ email, name: 'Once' }, BY_TEST);
    const agent = createAgent(postern.url);
    const page = await agent.get(inviteUrl);
    const path = new URL(inviteUrl).pathname + new URL(inviteUrl).search;
    const answers = await both((origin, index) =>
      agent.post(`${origin}${path}`, {
        _csrf: csrfOf(page),
        name: `Winner ${index}`,
        password: `${password} ${index}`,
      }),
    );
    const accepted = answers.filter(({ hops }) => hops[0]?.status === 303);
    expect(accepted).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
    expect(await events(user.id, 'user.accept_invite')).toBe(1);
    const { name } = (await postern.parts.accounts.byId(user.id)) ?? {};
    const winner = answers.findIndex((answer) => accepted.includes(answer));
    expect(name).toBe(`Winner ${winner}`);
    expect(await postern.parts.credentials.verifyPassword(user.id, `${password} ${winner}`)).toBe(true);
  });

  test('S69 of the setup link', async () => {
    const link = new URL((await postern.setupLink()) ?? '');
    const agent = createAgent(postern.url);
    const page = await agent.get(link.href);
    const answers = await both((origin, index) =>
      agent.post(`${origin}${link.pathname}${link.search}`, {
        _csrf: csrfOf(page),
        email: `admin${index}@example.com`,
        name: `Admin ${index}`,
        password,
      }),
    );
    expect(answers.filter(({ hops }) => hops[0]?.status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
    const admins = await postern.db.prisma.assignment.count({ where: { role: { name: 'admin' } } });
    expect(admins).toBe(1);
    expect(await postern.db.prisma.user.count({ where: { email: { startsWith: 'admin' } } })).toBe(1);
    expect(await postern.setupLink()).toBeNull();
    expect((await createAgent(neighbour.url).get(`${link.pathname}${link.search}`)).status).toBe(404);
  });
});

/** Statements that are held up by a lock on recovery codes. */
async function waitingForCodes(): Promise<number> {
  const [row] = await postern.db.query<{ waiting: number }>(
    'test-waiting',
    `SELECT count(*)::int AS waiting FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%recovery_code%'`,
    [],
  );
  return row?.waiting ?? 0;
}
