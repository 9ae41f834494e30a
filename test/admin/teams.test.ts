import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { csrfOf } from '../support/console.ts';
import { clientCredentials } from '../support/oauth.ts';
import { BY_TEST, createApi, createPerson, createService, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { wrongReach } from '../support/reach.ts';

describe('administering teams', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;
  let csrf: string;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    await signIn(browser, await browser.get('/admin'), admin);
    csrf = csrfOf(await browser.get('/admin/teams/new'));
  });
  afterAll(() => postern.close());

  const create = async (name: string, more: Record<string, string> = {}): Promise<Page> =>
    browser.submit(await browser.get('/admin/teams/new'), 'parent', { name, ...more });
  const made = (name: string, parent = '') => postern.parts.teams.create({ name, parent }, BY_TEST);
  const post = (path: string, fields: Record<string, string> = {}) =>
    browser.post(`/admin/teams/${path}`, { _csrf: csrf, ...fields });
  const eventsOf = async (id: string) =>
    (await postern.parts.events.about(id, 50)).map(({ action, actorId, data }) => ({ action, actorId, data }));

  test('a team is made, found, moved and renamed, each with an event that names the admin', async () => {
    await made('company');
    const page = await create('payments', { description: 'Takes the money', parent: 'company' });
    const id = /\/admin\/teams\/([0-9a-f-]{36})$/.exec(page.url)?.[1] ?? '';
    expect(page.text).toContain('The team payments was created.');
    expect(page.text).toContain('Part of company');
    const list = await browser.get('/admin/teams?q=MONEY');
    expect(list.text).toContain('payments Takes the money company 0 0');
    expect((await browser.get('/admin/teams?q=%25')).text).toContain('No team matches');
    const form = await browser.get(`/admin/teams/${id}/edit`);
    expect(form.html).toContain('value="company"');
    const saved = await browser.submit(form, 'parent', { name: 'billing', parent: '' });
    expect(saved.text).toContain('The team was saved.');
    expect(saved.text).toContain('Part of None');
    expect(await eventsOf(id)).toEqual([
      {
        action: 'team.update',
        actorId: admin.id,
        data: { description: 'Takes the money', parent: null, name: 'billing', formerName: 'payments' },
      },
      {
        action: 'team.create',
        actorId: admin.id,
        data: { description: 'Takes the money', parent: 'company' },
      },
    ]);
  });

  test('S84 S92 what is wrong is said beside its field, and nothing that was typed is more than text', async () => {
    await made('taken');
    const wrong: [string, Record<string, string>, string][] = [
      ['taken', {}, 'Another team has this name.'],
      ['two words', {}, 'Start with a letter or digit'],
      ['<b>bold</b>', {}, 'Start with a letter or digit'],
      ['\u202eevil', {}, 'Start with a letter or digit'],
      ['', {}, 'Fill this in.'],
      ['x'.repeat(61), {}, 'Use at most 60 characters.'],
      ['fine', { parent: 'nowhere' }, 'There is no team nowhere.'],
      ['fine', { parent: '<script>alert(1)</script>' }, 'There is no team <script>'],
      ['fine', { description: 'x'.repeat(301) }, 'Use at most 300 characters.'],
    ];
    for (const [name, more, text] of wrong) {
      const refused = await create(name, more);
      expect([name, more, refused.status]).toEqual([name, more, 422]);
      expect(refused.html).not.toContain('<script>alert');
      expect(refused.html).not.toContain('<b>bold');
      if (!text.includes('<')) expect(refused.text).toContain(text);
    }
    expect((await create('strange', { id: '1' })).status).toBe(400);
    const shown = await create('harmless', { description: '<img src=x onerror=alert(1)>' });
    expect(shown.html).toContain('&lt;img src=x');
    expect(shown.html).not.toContain('<img src=x');
    const absent = '00000000-0000-7000-8000-000000000000';
    for (const id of [absent, 'x', '%00', "1'--"]) {
      expect([400, 404]).toContain((await browser.get(`/admin/teams/${id}`)).status);
      expect([400, 404]).toContain((await post(`${id}/delete`)).status);
    }
  });

  test('a team stands in no team of its own, and at most ten levels deep', async () => {
    const [a, b, c] = [await made('tree-a'), await made('tree-b', 'tree-a'), await made('tree-c', 'tree-b')];
    const move = (team: { id: string; name: string }, parent: string) =>
      post(`${team.id}/edit`, { name: team.name, description: '', parent });
    const refused = await move(a, 'tree-c');
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('That team is part of this one: tree-a → tree-b → tree-c.');
    expect((await move(b, 'tree-b')).status).toBe(422);
    expect((await move(c, 'tree-a')).status).toBe(200);
    await made('deep-0');
    for (let level = 1; level < 10; level++) await made(`deep-${level}`, `deep-${level - 1}`);
    expect((await create('deep-10', { parent: 'deep-9' })).text).toContain('at most 10 levels deep');
    // Three levels do not fit under the eighth.
    await move(c, 'tree-b');
    expect((await move(a, 'deep-7')).status).toBe(422);
    expect((await move(a, 'deep-6')).status).toBe(200);
    expect(await wrongReach(postern, 'team')).toBe(0);
  });

  test('people and services are added by name and taken out, managers are named, each with an event', async () => {
    const [person, service] = [await createPerson(postern), await createService(postern)];
    const { id } = await made('crew');
    const add = async (member: string) => browser.submit(await browser.get(`/admin/teams/${id}`), 'member', { member });
    expect((await add(person.email.toUpperCase())).text).toContain('is a member now.');
    expect((await add(person.email)).text).toContain('is a member already.');
    const full = await add(service.clientId);
    expect(full.text).toContain('1 person and 1 service account.');
    const unknown = await add('nobody@example.com');
    expect(unknown.status).toBe(422);
    expect(unknown.html).toContain('value="nobody@example.com"');
    const managed = await browser.submit(full, 'manager', { manager: admin.email });
    expect(managed.text).toContain(`${admin.email} is a manager now.`);
    // A service answers for nothing.
    expect((await post(`${id}/managers`, { manager: service.clientId })).status).toBe(422);
    expect((await browser.get(`/admin/users/${person.id}`)).text).toContain('crew This team');
    expect((await browser.get(`/admin/service-accounts/${service.id}`)).text).toContain('Teams crew');

    const other = await made('other-crew');
    const removals = managed.forms.filter(({ action }) => /\/members\/.*\/remove$/.test(action));
    expect(removals).toHaveLength(2);
    for (const { action, fields } of removals) {
      expect((await browser.post(action.replace(id, other.id), fields)).status).toBe(404);
      expect((await browser.post(action, fields)).text).toContain('is no longer a member.');
    }
    expect((await post(`${id}/managers/${admin.id}/remove`)).text).toContain('is no longer a manager.');
    expect((await post(`${id}/managers/${admin.id}/remove`)).status).toBe(404);
    const actions = (await eventsOf(id)).map(({ action }) => action).reverse();
    expect(actions).toEqual([
      'team.create',
      'team.add_member',
      'team.add_member',
      'team.add_manager',
      'team.remove_member',
      'team.remove_member',
      'team.remove_manager',
    ]);
  });

  test('roles and groups come down the tree, to people and to services, and never up', async () => {
    const audience = await createApi(postern, ['read', 'write']);
    const { access, teams } = postern.parts;
    await access.roles.create({ name: 'grower', permissions: [`${audience}#read`] }, BY_TEST);
    await access.roles.create({ name: 'gardener', permissions: [`${audience}#write`], includes: ['grower'] }, BY_TEST);
    const [top, low] = [await made('garden'), await made('roses', 'garden')];
    const [above, below] = [await createService(postern), await createService(postern)];
    const person = await createPerson(postern);
    await teams.members.add(top.id, above.clientId, BY_TEST);
    await teams.members.add(low.id, below.clientId, BY_TEST);
    await teams.members.add(low.id, person.email, BY_TEST);
    const given = await post(`${top.id}/roles`, { role: 'gardener' });
    expect(given.text).toContain('The team has the role gardener.');
    expect(given.text).toContain('gardener Given to this team No end');
    await post(`${low.id}/roles`, { role: 'grower' });

    expect((await clientCredentials(postern.url, below)).body.scope).toBe('read write');
    const shown = await browser.get(`/admin/users/${person.id}`);
    expect(shown.text).toContain('gardener Team garden No end');
    expect(shown.text).toContain('grower Included in gardener With that role');
    expect(shown.text).toContain('grower Team roses No end');
    expect(shown.text).toContain('garden roses roses This team');
    expect((await browser.get(`/admin/teams/${low.id}`)).text).toContain('gardener Team garden No end');
    const own = createAgent(postern.url);
    const profile = await signIn(own, await own.get('/account'), person);
    expect(profile.text).toContain('Roles gardener grower Teams garden, roses');

    await post(`${top.id}/roles/remove`, { role: 'gardener' });
    expect((await clientCredentials(postern.url, above)).body.error).toBe('invalid_scope');
    expect((await clientCredentials(postern.url, below)).body.scope).toBe('read');
    expect((await own.get('/account')).text).toContain('Roles grower Teams');
  });

  test('the built-in role is for people: no team is given it, by whichever page', async () => {
    const { id } = await made('would-be-admins');
    expect((await post(`${id}/roles`, { role: 'admin' })).status).toBe(409);
    expect((await browser.get(`/admin/teams/${id}`)).html).not.toContain('<option value="admin"');
    const fields = { _csrf: csrf, holder: 'would-be-admins' };
    const refused = await browser.post('/admin/roles/admin/holders', fields);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('given to people one by one, not to teams');
    expect(await postern.db.prisma.assignment.count({ where: { teamId: id } })).toBe(0);
  });

  test('a name of a service account and of a team at once is not guessed', async () => {
    await postern.parts.serviceAccounts.create({ name: 'twin' }, BY_TEST);
    const { id } = await made('twin');
    await postern.parts.access.roles.create({ name: 'twin-role' }, BY_TEST);
    const fields = { _csrf: csrf, holder: 'twin' };
    const refused = await browser.post('/admin/roles/twin-role/holders', fields);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('A service account and a team have this name.');
    expect((await post(`${id}/roles`, { role: 'twin-role' })).status).toBe(200);
    expect((await browser.get('/admin/roles/twin-role')).html).toContain(`href="/admin/teams/${id}"`);
  });

  test('a team goes when nothing hangs on it: what does is named', async () => {
    const { id } = await made('parting');
    const child = await made('parting-child', 'parting');
    const fields = { name: 'left-behind', owner: 'parting', contact: '#parting' };
    const account = await postern.parts.serviceAccounts.create(fields, BY_TEST);
    const person = await createPerson(postern);
    await postern.parts.teams.members.add(id, person.email, BY_TEST);
    const withChild = await post(`${id}/delete`);
    expect(withChild.status).toBe(409);
    expect(withChild.text).toContain('Teams are part of this one: parting-child.');
    await post(`${child.id}/delete`);
    expect((await post(`${id}/delete`)).text).toContain('The team answers for service accounts: left-behind.');

    const form = await browser.get(`/admin/service-accounts/${account.id}/edit`);
    expect(form.html).toContain('value="parting"');
    expect((await browser.submit(form, 'owner', { owner: 'nowhere' })).text).toContain('There is no team nowhere.');
    await browser.submit(form, 'owner', { owner: '' });
    const shown = await browser.get(`/admin/service-accounts/${account.id}`);
    expect(shown.text).toContain('Owner No team Contact #parting');
    const gone = await post(`${id}/delete`);
    expect(gone.url).toBe(`${postern.url}/admin/teams`);
    expect(gone.text).toContain('The team parting was deleted.');
    expect((await browser.get(`/admin/teams/${id}`)).status).toBe(404);
    expect((await browser.get(`/admin/users/${person.id}`)).status).toBe(200);
    expect(await wrongReach(postern, 'team')).toBe(0);
  });

  test('service accounts show their owner, also in the list', async () => {
    await made('owners');
    const form = await browser.get('/admin/service-accounts/new');
    const fields = { name: 'owned-service', auth: 'secret', owner: 'owners', contact: 'ops@example.com' };
    expect((await browser.submit(form, 'owner', { ...fields, owner: 'no-owners' })).status).toBe(422);
    expect((await browser.submit(form, 'owner', fields)).status).toBe(200);
    expect((await browser.get('/admin/service-accounts?q=owned-service')).text).toMatch(/owned-service svc_\w+ owners/);
  });

  test('two hundred teams are eight pages, each one statement', async () => {
    await postern.db.query(
      'test-teams',
      `WITH made AS (INSERT INTO team (id, name, created_at, updated_at)
         SELECT gen_random_uuid(), 'many-' || g, now() - interval '1 day', now() FROM generate_series(1, 200) g RETURNING id)
       INSERT INTO team_reach (team_id, reaches_id) SELECT id, id FROM made`,
      [],
    );
    const seen = new Set<string>();
    let pages = 0;
    let next: string | undefined = '/admin/teams?q=many-';
    let last: Page | undefined;
    while (next !== undefined && pages < 20) {
      const asked: string[] = [];
      const { query } = pg.Client.prototype;
      pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
        const [statement] = values as [{ text?: string; name?: string }];
        asked.push(String(statement?.name ?? statement?.text ?? statement));
        return Reflect.apply(query, this, values);
      } as typeof query;
      last = await browser.get(next);
      pg.Client.prototype.query = query;
      expect(asked.filter((name) => name.startsWith('teams.'))).toHaveLength(1);
      for (const [name] of last.text.matchAll(/many-\d+/g)) seen.add(name);
      next = /rel="next" href="([^"]*)"/.exec(last.html)?.[1]?.replaceAll('&amp;', '&');
      pages += 1;
    }
    expect([pages, seen.size]).toEqual([8, 200]);
    const back = /rel="prev" href="([^"]*)"/.exec(last?.html ?? '')?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect((await browser.get(back)).text.match(/many-\d+/g)).toHaveLength(25);
    expect((await browser.get('/admin/teams?after=nonsense')).status).toBe(200);
  });
});
