import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf, csrfOf } from '../support/console.ts';
import { BY_TEST, createPerson, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

interface Admin {
  person: Person;
  agent: Agent;
  csrf: string;
}

let postern: Postern;
let neighbour: PosternProcess;
let one: Admin;
let two: Admin;

beforeAll(async () => {
  postern = await startPostern();
  const [other] = await startProcesses(1, postern.databaseUrl);
  neighbour = other as PosternProcess;
});
afterAll(async () => {
  await neighbour?.stop();
  await postern?.close();
});

async function createAdmin(): Promise<Admin> {
  const person = await createPerson(postern, { roles: ['admin'] });
  const agent = await browserOf(postern, person, '/admin');
  return { person, agent, csrf: csrfOf(await agent.get('/account/password')) };
}

beforeEach(async () => {
  const before = await postern.db.prisma.assignment.findMany({ where: { userId: { not: null } } });
  [one, two] = [await createAdmin(), await createAdmin()];
  // Whoever was admin before leaves: two are left.
  for (const { userId } of before) {
    if (userId) await postern.parts.users.unassignRole(userId, 'admin', BY_TEST).catch(() => undefined);
  }
  expect(await admins()).toBe(2);
});

function admins(): Promise<number> {
  return postern.db.prisma.assignment.count({ where: { role: { name: 'admin' }, user: { status: 'active' } } });
}

/** By either process. */
function post({ agent, csrf }: Admin, index: number, path: string, fields = {}): Promise<Page> {
  const origin = index % 2 === 0 ? postern.url : neighbour.url;
  return agent.post(`${origin}${path}`, { _csrf: csrf, ...fields });
}

test('of two who disable each other 50 times, over two processes, one stays', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      const [by, whom] = index % 4 < 2 ? [one, two] : [two, one];
      return post(by, index, `/admin/users/${whom.person.id}/disable`);
    }),
  );
  expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
  expect(await admins()).toBe(1);
});

test('of two who take the role from each other and from themselves, one stays', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      const by = index % 4 < 2 ? one : two;
      const whom = index % 3 === 0 ? one : two;
      return post(by, index, `/admin/users/${whom.person.id}/roles/remove`, { role: 'admin' });
    }),
  );
  expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
  expect(await admins()).toBe(1);
});

test('of one who disables while the other gives the role up, one stays', async () => {
  await Promise.all([
    post(one, 0, `/admin/users/${two.person.id}/disable`),
    post(one, 1, `/admin/users/${one.person.id}/roles/remove`, { role: 'admin' }),
    post(two, 1, `/admin/users/${one.person.id}/disable`),
    post(two, 0, `/admin/roles/admin/holders/remove`, { userId: two.person.id }),
  ]);
  expect(await admins()).toBe(1);
});

test('the last one can neither be disabled nor lose the role, by any page, and is told why', async () => {
  await postern.parts.users.unassignRole(two.person.id, 'admin', BY_TEST);
  const own = `/admin/users/${one.person.id}`;
  const given = await post(one, 0, `${own}/roles/remove`, { role: 'admin' });
  expect(given.status).toBe(409);
  expect(given.text).toMatch(/last|only/i);
  expect((await post(one, 0, `${own}/disable`)).status).toBe(409);
  expect((await post(one, 0, `${own}/reset-factors`)).status).toBe(409);
  expect((await post(one, 0, '/admin/roles/admin/holders/remove', { userId: one.person.id })).status).toBe(409);
  expect((await post(one, 0, '/admin/roles/admin/delete')).status).toBe(409);
  expect(await admins()).toBe(1);
  expect((await one.agent.get('/admin')).status).toBe(200);
  expect((await createAgent(postern.url).get('/setup?token=x')).text).toContain('set up already');
});
