import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { asError, BY_TEST, createApi, createPerson, createService, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { wrongReach } from '../support/reach.ts';

describe('roles that include roles', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;
  let audience: string;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    await signIn(browser, await browser.get('/admin'), admin);
    audience = await createApi(postern, ['read', 'write', 'audit']);
  });
  afterAll(() => postern.close());

  const make = (name: string, more: { permissions?: string[]; includes?: string[] } = {}) =>
    postern.parts.access.roles.create({ name, ...more }, BY_TEST);

  const include = async (role: string, includes: string[]) =>
    browser.post(`/admin/roles/${role}/edit`, [
      ['_csrf', csrfIn(await browser.get(`/admin/roles/${role}/edit`))],
      ['description', ''],
      ...includes.map((name): [string, string] => ['includes[]', name]),
    ]);

  const csrfIn = (page: { forms: { fields: Record<string, string> }[] }) =>
    page.forms.map(({ fields }) => fields._csrf).find(Boolean) ?? '';

  test('a role is made with another in it, and both pages say so, with where each permission comes from', async () => {
    await make('reader', { permissions: [`${audience}#read`] });
    await make('writer', { permissions: [`${audience}#write`], includes: ['reader'] });
    const form = await browser.get('/admin/roles/new');
    expect(form.html).toContain('name="includes[]" type="checkbox" value="reader"');
    expect(form.html).not.toContain('name="includes[]" type="checkbox" value="admin"');
    const fields = { name: 'editor', 'permissions[]': `${audience}#audit`, 'includes[]': 'writer' };
    const made = await browser.submit(form, 'name', fields);
    expect(made.text).toContain('The role editor was created.');
    expect(made.text).toContain(`audit ${audience} This role`);
    expect(made.text).toContain(`read ${audience} reader`);
    expect(made.text).toContain(`write ${audience} writer`);
    expect(made.text).toContain('Includes writer Through them reader Included in No role');
    expect((await browser.get('/admin/roles/reader')).text).toContain('Included in writer And through them in editor');
    const edit = await browser.get('/admin/roles/editor/edit');
    expect(edit.html).toMatch(/value="writer" checked/);
    expect(edit.html).not.toContain('type="checkbox" value="editor"');
    const id = (await postern.parts.access.roles.byName('editor'))?.id ?? '';
    const [event] = await postern.parts.events.about(id, 5);
    expect(event?.data).toEqual({ permissions: [`${audience}#audit`], includes: ['writer'] });
  });

  test('whoever holds a role has what it includes, and the pages say by which', async () => {
    await make('inner', { permissions: [`${audience}#read`] });
    await make('outer', { permissions: [`${audience}#write`], includes: ['inner'] });
    const person = await createPerson(postern);
    const service = await createService(postern);
    await postern.parts.access.roles.assign('outer', { userId: person.id }, BY_TEST);
    await postern.parts.access.roles.assign('outer', { serviceAccountId: service.id }, BY_TEST);
    for (const page of [`/admin/users/${person.id}`, `/admin/service-accounts/${service.id}`]) {
      expect((await browser.get(page)).text).toContain('inner Included in outer With that role');
    }
    expect((await postern.parts.users.show(person.id)).roles).toEqual(['inner', 'outer']);
    expect((await browser.get('/admin/users')).text).toContain('inner, outer');
    const own = createAgent(postern.url);
    expect((await signIn(own, await own.get('/account'), person)).text).toContain('Roles inner outer');
  });

  test('a circle is refused, and the error names its roles', async () => {
    await make('c');
    await make('b', { includes: ['c'] });
    await make('a', { includes: ['b'] });
    const refused = await include('c', ['a']);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('The role would include itself: c → a → b → c.');
    expect(refused.html).toMatch(/value="a" checked/);
    expect((await include('c', ['c'])).text).toContain('c → c');
    expect(await wrongReach(postern, 'role')).toBe(0);
  });

  test('what includes no more stops at once, and a role that is deleted between two takes its way along', async () => {
    await make('low');
    await make('mid', { includes: ['low'] });
    await make('top', { includes: ['mid'] });
    const person = await createPerson(postern);
    await postern.parts.access.roles.assign('top', { userId: person.id }, BY_TEST);
    const roles = () => postern.parts.access.roles.rolesOf({ userId: person.id });
    expect(await roles()).toEqual(['low', 'mid', 'top']);
    const page = await browser.get('/admin/roles/mid');
    expect(page.text).toContain('It is included in top');
    await browser.submit(page, '/admin/roles/mid/delete');
    expect(await roles()).toEqual(['top']);
    expect((await include('top', ['low'])).status).toBe(200);
    expect(await roles()).toEqual(['low', 'top']);
    expect((await include('top', [])).status).toBe(200);
    expect(await roles()).toEqual(['top']);
    expect(await wrongReach(postern, 'role')).toBe(0);
  });

  test('ten levels and a hundred roles are the most, wherever the change is made', async () => {
    const { roles } = postern.parts.access;
    const update = (name: string, includes: string[]) =>
      roles.update(name, { description: '', permissions: [], includes }, BY_TEST);
    for (let level = 0; level <= 10; level++) {
      await make(`level-${level}`, level === 0 ? {} : { includes: [`level-${level - 1}`] });
    }
    const deeper = await asError(make('level-11', { includes: ['level-10'] }));
    expect(deeper.fields).toEqual({ includes: { code: 'roles.include_depth', params: { max: 10 } } });
    await make('below');
    expect((await asError(update('level-0', ['below']))).fields).toMatchObject({
      includes: { code: 'roles.include_depth' },
    });
    const many = Array.from({ length: 100 }, (_, index) => `many-${index}`);
    await postern.db.query(
      'test-many',
      `WITH made AS (INSERT INTO role (id, name, created_at) SELECT gen_random_uuid(), unnest($1::text[]), now() RETURNING id)
       INSERT INTO role_reach (role_id, reaches_id) SELECT id, id FROM made`,
      [many],
    );
    await make('all', { includes: many });
    await make('one-more');
    expect((await asError(update('all', [...many, 'one-more']))).fields).toHaveProperty('includes');
    expect((await asError(update('many-0', ['one-more']))).fields).toEqual({
      includes: { code: 'roles.include_many', params: { name: 'all', max: 100 } },
    });
    expect(await wrongReach(postern, 'role')).toBe(0);
  });

  test('the built-in role includes nothing and is part of nothing, whatever a form sends', async () => {
    const alone = "The built-in role can't include others and can't be included.";
    await make('ordinary');
    expect((await include('ordinary', ['admin'])).text).toContain(alone);
    expect((await asError(make('hidden-admin', { includes: ['admin'] }))).fields).toEqual({
      includes: { code: 'roles.built_in_alone', params: {} },
    });
    expect((await include('admin', ['ordinary'])).status).toBe(422);
    expect((await browser.get('/admin/roles/admin')).text).toContain('The built-in role stands alone');
    expect((await browser.get('/admin/roles/admin/edit')).html).not.toContain('includes[]');
    expect(await postern.db.prisma.roleInclusion.count({ where: { included: { builtIn: true } } })).toBe(0);
  });

  test('S85 not even a row that no form makes lets a role or a team bring the admin pages along', async () => {
    const [person, member] = [await createPerson(postern), await createPerson(postern)];
    await make('backdoor');
    const team = await postern.parts.teams.create({ name: 'backdoor' }, BY_TEST);
    await postern.parts.access.roles.assign('backdoor', { userId: person.id }, BY_TEST);
    await postern.parts.teams.members.add(team.id, member.email, BY_TEST);
    await postern.db.query(
      'test-backdoor',
      `WITH r AS (SELECT id, (SELECT id FROM role WHERE name = 'admin') AS admin FROM role WHERE name = 'backdoor'),
         reach AS (INSERT INTO role_reach (role_id, reaches_id) SELECT id, admin FROM r)
       INSERT INTO assignment (id, role_id, team_id, granted_by, created_at)
       SELECT gen_random_uuid(), admin, $1, 'test', now() FROM r`,
      [team.id],
    );
    for (const who of [person, member]) {
      const theirs = createAgent(postern.url);
      await signIn(theirs, await theirs.get('/account'), who);
      expect((await theirs.get('/admin/users')).status).toBe(403);
    }
    await postern.db.query('test-backdoor-end', 'DELETE FROM assignment WHERE team_id = $1', [team.id]);
    await postern.parts.access.roles.remove('backdoor', BY_TEST);
  });

  test('S84 S92 names that are none are said beside the boxes', async () => {
    await make('plain');
    for (const name of ['absent', '<script>alert(1)</script>', "x'; DROP TABLE role --", '\u202eadmin']) {
      const refused = await include('plain', [name]);
      expect(refused.status).toBe(422);
      expect(refused.html).not.toContain('<script>alert');
      expect(refused.text).toContain('There is no role');
    }
    expect((await include('plain', ['x'.repeat(61)])).status).toBe(422);
    expect(
      (
        await include(
          'plain',
          Array.from({ length: 101 }, () => 'plain'),
        )
      ).status,
    ).toBe(422);
  });
});
