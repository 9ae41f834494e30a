import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { csrfOf } from '../support/console.ts';
import { clientCredentials } from '../support/oauth.ts';
import { BY_TEST, createApi, createPerson, createService, type Service, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { wrongReach } from '../support/reach.ts';
import { until } from '../support/until.ts';

/** Makes what the tests need; changes and tokens are asked for at two other processes on the same database. */
let maker: Postern;
let processes: PosternProcess[] = [];
let agents: Agent[] = [];
let csrf: string;
let audience: string;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  const admin = await createPerson(maker, { roles: ['admin'] });
  const [first = '', second = ''] = processes.map(({ url }) => url);
  const agent = createAgent(first);
  await signIn(agent, await agent.get('/admin'), admin);
  csrf = csrfOf(await agent.get('/admin/roles/new'));
  agents = [agent, createAgent(second, agent.cookies)];
  audience = await createApi(maker, ['read', 'write']);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const post = (index: number, path: string, fields: Record<string, string>) =>
  (agents[index % 2] as Agent).post(path, { _csrf: csrf, ...fields });

/**
 * Where the form was followed, the answer is another page (303, followed); where it was not, it is 422. A busy process may
 * shed what waits too long (503): that is sent again.
 */
async function inParallel(count: number, send: (index: number) => ReturnType<typeof post>): Promise<number[]> {
  const insist = async (index: number): Promise<number> => {
    for (let tries = 0; ; tries++) {
      const { status } = await send(index);
      if (status !== 503 || tries === 10) return status;
    }
  };
  return Promise.all(Array.from({ length: count }, (_, index) => insist(index)));
}

describe('changes of what reaches what, in parallel at two processes', () => {
  test('of inclusions that would close a circle together, what stays has none, and role_reach is its closure', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `ring-${index}`);
    for (const name of names) await maker.parts.access.roles.create({ name }, BY_TEST);
    // Each asks for the next one in the ring: all five together are a circle.
    const statuses = await inParallel(20, (index) => {
      const [name, next] = [names[index % 5] ?? '', names[(index + 1) % 5] ?? ''];
      return post(index, `/admin/roles/${name}/edit`, { description: `by ${index}`, 'includes[]': next });
    });
    expect(statuses.filter((status) => status !== 200 && status !== 422)).toEqual([]);
    expect(statuses).toContain(422);
    expect(await wrongReach(maker, 'role')).toBe(0);
    const circles = await maker.db.query(
      'test-circles',
      'SELECT FROM role_reach a JOIN role_reach b ON b.role_id = a.reaches_id AND b.reaches_id = a.role_id WHERE a.role_id <> a.reaches_id',
      [],
    );
    expect(circles).toHaveLength(0);
    // Four of five can stand; the one that would close the ring was refused each time.
    expect(await maker.db.prisma.roleInclusion.count({ where: { role: { name: { startsWith: 'ring-' } } } })).toBe(4);
  });

  test('changes here and there, and deletions between them, leave role_reach the closure', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `net-${index}`);
    for (const name of names) await maker.parts.access.roles.create({ name }, BY_TEST);
    const statuses = await inParallel(20, (index) => {
      const from = index % 7;
      if (index % 10 === 9) return post(index, `/admin/roles/net-${1 + (index % 3)}/delete`, {});
      const to = from + 1 + (index % (7 - from));
      return post(index, `/admin/roles/net-${from}/edit`, { description: '', 'includes[]': `net-${to}` });
    });
    expect(statuses.filter((status) => ![200, 404, 422].includes(status))).toEqual([]);
    expect(await wrongReach(maker, 'role')).toBe(0);
  });

  test('of teams that would stand in each other, what stays is a tree, and team_reach is its closure', async () => {
    const teams: { id: string; name: string }[] = [];
    for (const index of [0, 1, 2, 3]) teams.push(await maker.parts.teams.create({ name: `loop-${index}` }, BY_TEST));
    const statuses = await inParallel(20, (index) => {
      const [team, above] = [teams[index % 4], teams[(index + 1) % 4]];
      const fields = { name: team?.name ?? '', description: '', parent: above?.name ?? '' };
      return post(index, `/admin/teams/${team?.id}/edit`, fields);
    });
    expect(statuses.filter((status) => status !== 200 && status !== 422)).toEqual([]);
    expect(statuses).toContain(422);
    expect(await wrongReach(maker, 'team')).toBe(0);
    expect(await maker.db.prisma.team.count({ where: { name: { startsWith: 'loop-' }, parentId: null } })).toBe(1);
  });
});

describe('S85 what was taken is without effect within a second, on both processes', () => {
  async function scopes(service: Service): Promise<string> {
    const answers = await Promise.all(processes.map(({ url }) => clientCredentials(url, service)));
    return answers.map(({ body }) => String(body.scope ?? body.error)).join(' | ');
  }

  /** A service account with `read` of its own, and `write` by what `give` gives it. */
  async function holding(name: string): Promise<Service> {
    await maker.parts.access.roles.create({ name, permissions: [`${audience}#write`] }, BY_TEST);
    return createService(maker, [`${audience}#read`]);
  }

  const BOTH = 'read write | read write';
  const LESS = 'read | read';

  test('S85 a role that was taken from the account, or deleted', async () => {
    const service = await holding('direct-writer');
    const give = () => maker.parts.access.roles.assign('direct-writer', { serviceAccountId: service.id }, BY_TEST);
    await give();
    await until(async () => (await scopes(service)) === BOTH, 1);
    await post(1, `/admin/service-accounts/${service.id}/roles/remove`, { role: 'direct-writer' });
    await until(async () => (await scopes(service)) === LESS, 1);
    await give();
    await until(async () => (await scopes(service)) === BOTH, 1);
    await post(0, '/admin/roles/direct-writer/delete', {});
    await until(async () => (await scopes(service)) === LESS, 1);
  });

  test('S85 a role of a team above, a membership, a place in the tree, and an inclusion', async () => {
    const service = await holding('team-writer');
    const { teams, access } = maker.parts;
    await access.roles.create({ name: 'team-lead', includes: ['team-writer'] }, BY_TEST);
    const above = await teams.create({ name: 'upper' }, BY_TEST);
    const team = await teams.create({ name: 'lower', parent: 'upper' }, BY_TEST);
    await teams.members.add(team.id, service.clientId, BY_TEST);
    const [member] = (await teams.members.list(team.id)).items;
    const lower = { name: 'lower', description: '' };
    const changes: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
      [
        'role of the team above',
        () => post(0, `/admin/teams/${above.id}/roles`, { role: 'team-lead' }),
        () => post(1, `/admin/teams/${above.id}/roles/remove`, { role: 'team-lead' }),
      ],
      [
        'place in the tree',
        () => post(0, `/admin/teams/${above.id}/roles`, { role: 'team-lead' }),
        () => post(1, `/admin/teams/${team.id}/edit`, { ...lower, parent: '' }),
      ],
      [
        'inclusion',
        () => post(0, `/admin/teams/${team.id}/edit`, { ...lower, parent: 'upper' }),
        () => post(1, '/admin/roles/team-lead/edit', { description: '' }),
      ],
      [
        'membership',
        () => post(0, '/admin/roles/team-lead/edit', { description: '', 'includes[]': 'team-writer' }),
        () => post(1, `/admin/teams/${team.id}/members/${member?.id}/remove`, {}),
      ],
    ];
    for (const [, give, take] of changes) {
      await give();
      await until(async () => (await scopes(service)) === BOTH, 1);
      await take();
      await until(async () => (await scopes(service)) === LESS, 1);
    }
  });
});
