import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { createApi, createPerson, createService, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

describe('administering roles', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;
  let csrf: string;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    await signIn(browser, await browser.get('/admin'), admin);
    const page = await browser.get('/admin/roles/new');
    csrf = page.forms.find((form) => form.inputs.includes('name'))?.fields._csrf ?? '';
  });

  afterAll(() => postern.close());

  async function create(name: string, values: Record<string, string> = {}): Promise<Page> {
    return browser.submit(await browser.get('/admin/roles/new'), 'name', { name, ...values });
  }

  const give = async (role: string, holder: string) =>
    browser.submit(await browser.get(`/admin/roles/${role}`), 'holder', { holder });

  const take = (role: string, holder: Record<string, string>) =>
    browser.post(`/admin/roles/${role}/holders/remove`, { _csrf: csrf, ...holder });

  async function eventsOf(id: string, action: string) {
    const found = (await postern.parts.events.about(id, 50)).filter((event) => event.action === action);
    return found.map(({ actorId, data }) => ({ actorId, data }));
  }

  test('a role is made with permissions, listed with what it carries and who holds it, and its event names the admin', async () => {
    const audience = await createApi(postern, ['read', 'write']);
    const made = await create('support', { description: 'Helps people', 'permissions[]': `${audience}#read` });
    expect(made.url).toBe(`${postern.url}/admin/roles/support`);
    expect(made.text).toContain('The role support was created.');
    expect(made.text).toContain(`read ${audience}`);
    const role = await postern.parts.access.roles.byName('support');
    expect(await eventsOf(role?.id ?? '', 'role.create')).toEqual([
      { actorId: admin.id, data: { permissions: [`${audience}#read`] } },
    ]);

    await give('support', (await createPerson(postern)).email);
    await give('support', (await createService(postern)).clientId);
    const list = await browser.get('/admin/roles');
    const row = /<tr role="row">(?:(?!<\/tr>).)*href="\/admin\/roles\/support".*?<\/tr>/s.exec(list.html)?.[0] ?? '';
    expect(row).toContain('Helps people');
    expect([...row.matchAll(/<span>(\d+)<\/span>/g)].map(([, number]) => number)).toEqual(['1', '1', '1', '0']);
    expect(list.text).toContain('admin Built in');
    expect(list.html).toContain('<a href="/admin/roles" aria-current="page">');
  });

  test('what is wrong with a new role is said beside its field, and what was typed stays', async () => {
    await create('taken');
    const errors: [string, string][] = [
      ['taken', 'Another role has this name.'],
      ['two words', 'Start with a letter or digit'],
      ['new', "This name can't be used. Choose another one."],
      ['x'.repeat(61), 'Use at most 60 characters.'],
    ];
    for (const [name, text] of errors) {
      const refused = await create(name, { description: 'Kept text' });
      expect(refused.status).toBe(422);
      expect(refused.text).toContain(text);
      expect(refused.html).toContain('value="Kept text"');
    }
    const unknown = await create('unknown', { 'permissions[]': 'https://nowhere.example.com#read' });
    expect(unknown.status).toBe(422);
    expect(await postern.parts.access.roles.byName('unknown')).toBeNull();
  });

  test('description and permissions change together, and the form begins with what is set', async () => {
    const audience = await createApi(postern, ['read', 'write']);
    await create('editor', { description: 'Before', 'permissions[]': `${audience}#read` });
    const form = await browser.get('/admin/roles/editor/edit');
    expect(form.html).toContain('value="Before"');
    expect(form.html).toMatch(new RegExp(`value="${audience}#read" checked`));
    const changes = { description: 'After', 'permissions[]': `${audience}#write` };
    const saved = await browser.submit(form, 'description', changes);
    expect(saved.text).toContain('The role was saved.');
    const role = await postern.parts.access.roles.byName('editor');
    expect(role).toMatchObject({ description: 'After', permissions: [`${audience}#write`] });
    expect(await eventsOf(role?.id ?? '', 'role.update')).toEqual([
      { actorId: admin.id, data: { description: 'After', permissions: [`${audience}#write`] } },
    ]);
    const tooLong = await browser.submit(form, 'description', { description: 'x'.repeat(301) });
    expect(tooLong.status).toBe(422);
  });

  test('people and service accounts get it by name and lose it again, each with an event', async () => {
    const person = await createPerson(postern);
    const service = await createService(postern);
    await create('held');
    expect((await give('held', ` ${person.email.toUpperCase()} `)).text).toContain('holds the role now.');
    expect((await give('held', person.email)).text).toContain('holds the role already.');
    const shown = await give('held', service.clientId);
    expect(shown.html).toContain(`href="/admin/users/${person.id}"`);
    expect(shown.html).toContain(`href="/admin/service-accounts/${service.id}"`);
    expect(shown.text).toContain('1 person, 1 service account and 0 teams.');
    expect((await browser.get(`/admin/users/${person.id}`)).html).toContain('href="/admin/roles/held"');
    expect((await browser.get(`/admin/service-accounts/${service.id}`)).html).toContain('href="/admin/roles/held"');

    const forms = shown.forms.filter((form) => form.action.endsWith('/holders/remove'));
    expect(forms).toHaveLength(2);
    for (const form of forms) await browser.post(form.action, form.fields);
    expect((await browser.get('/admin/roles/held')).text).toContain('Nobody holds it');
    for (const id of [person.id, service.id]) {
      for (const action of ['role.assign', 'role.unassign']) {
        expect(await eventsOf(id, action)).toEqual([{ actorId: admin.id, data: { role: 'held' } }]);
      }
    }
  });

  test('a holder that nobody is found by is said beside the field', async () => {
    await create('lonely');
    const refused = await give('lonely', 'nobody@example.com');
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('Nobody is found by that.');
    expect(refused.html).toContain('value="nobody@example.com"');
    expect((await give('lonely', '')).status).toBe(422);
  });

  test('many holders are paged by key, forwards and back', async () => {
    await create('crowd');
    const role = await postern.parts.access.roles.byName('crowd');
    await postern.db.query(
      'test-crowd',
      `WITH made AS (
         INSERT INTO user_account (id, email, email_normalized, name, status, created_at, updated_at)
         SELECT gen_random_uuid(), 'crowd' || g || '@example.com', 'crowd' || g || '@example.com', 'Crowd ' || g,
           'active', now(), now() FROM generate_series(1, 60) g RETURNING id)
       INSERT INTO assignment (id, role_id, user_id, granted_by, created_at)
       SELECT gen_random_uuid(), $1, id, 'test', timestamptz '2026-01-01' FROM made`,
      [role?.id],
    );
    const seen = new Set<string>();
    const pages: Page[] = [await browser.get('/admin/roles/crowd')];
    for (let page = pages[0]; page; page = pages.at(-1)) {
      for (const [email] of page.text.matchAll(/crowd\d+@example\.com/g)) seen.add(email);
      const next = link(page, 'next');
      if (!next || pages.length > 3) break;
      pages.push(await browser.get(next));
    }
    expect(seen.size).toBe(60);
    expect(pages).toHaveLength(3);
    const holdersIn = (page: Page | undefined) =>
      [...(page?.text.matchAll(/crowd\d+@example\.com/g) ?? [])].map(String);
    const back = await browser.get(link(pages[2] as Page, 'prev') ?? '');
    expect(holdersIn(back)).toEqual(holdersIn(pages[1]));
    expect((await browser.get('/admin/roles/crowd?after=nonsense')).status).toBe(200);
  });

  test('the admin role stays, and so does its last holder: said on its page', async () => {
    const last = await take('admin', { userId: admin.id });
    expect(last.status).toBe(409);
    expect(last.text).toContain('This is the last administrator who can sign in.');
    expect(last.forms.some((form) => form.inputs.includes('holder'))).toBe(true);
    expect((await browser.get('/admin/roles/admin')).text).not.toContain('Delete role');
    const kept = await browser.post('/admin/roles/admin/delete', { _csrf: csrf });
    expect(kept.status).toBe(409);
    expect(kept.text).toContain("This role belongs to Postern and can't be removed.");
    expect(await postern.parts.access.roles.rolesOf({ userId: admin.id })).toEqual(['admin']);
    // Of two administrators one can go.
    const second = await createPerson(postern, { roles: ['admin'] });
    expect((await take('admin', { userId: second.id })).status).toBe(200);
  });

  test('a deleted role is gone from those who held it', async () => {
    const person = await createPerson(postern);
    await create('passing');
    await give('passing', person.email);
    const page = await browser.get('/admin/roles/passing');
    const id = (await postern.parts.access.roles.byName('passing'))?.id ?? '';
    const list = await browser.submit(page, '/admin/roles/passing/delete');
    expect(list.url).toBe(`${postern.url}/admin/roles`);
    expect(list.text).toContain('The role passing was deleted.');
    expect(await postern.parts.access.roles.rolesOf({ userId: person.id })).toEqual([]);
    expect(await eventsOf(id, 'role.delete')).toHaveLength(1);
    expect((await browser.get('/admin/roles/passing')).status).toBe(404);
  });

  test('absent and impossible names are one 404, strange fields are refused, and others stay outside', async () => {
    for (const name of ['absent', '%00', "'%20OR%201", '%F0%9F%A6%8A']) {
      expect([400, 404]).toContain((await browser.get(`/admin/roles/${name}`)).status);
    }
    expect((await take('absent', { userId: admin.id })).status).toBe(404);
    expect((await create('strange', { builtIn: 'true' })).status).toBe(400);
    expect((await browser.post('/admin/roles/admin/delete', {})).status).toBe(403);
    const person = await createPerson(postern);
    const theirs = createAgent(postern.url);
    await signIn(theirs, await theirs.get('/account'), person);
    expect((await theirs.get('/admin/roles')).status).toBe(403);
    const inside = createAgent(postern.url);
    expect((await inside.get('/admin/roles')).url).toContain('/interaction/');
  });

  test('reasons stand in words in the audit log', async () => {
    const guest = createAgent(postern.url);
    await guest.submit(await guest.get('/account'), 'password', { login: admin.email, password: 'not the password' });
    const list = await browser.get('/admin/audit?action=user.factor_used&outcome=failure');
    expect(list.text).toContain('Sign-in step Wrong password');
    const href = /href="(\/admin\/audit\/[0-9a-f-]{36})"/.exec(list.html)?.[1] ?? '';
    const event = await browser.get(href);
    expect(event.text).toContain('Reason Wrong password Reason code wrong_password');
  });
});

function link(page: Page, rel: 'next' | 'prev'): string | undefined {
  return new RegExp(`rel="${rel}" href="([^"]*)"`).exec(page.html)?.[1]?.replaceAll('&amp;', '&');
}
