import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { BY_TEST, createPerson, createService, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const MANY = 300;
/** Bytes: what a page may weigh, however many roles there are. */
const MOST = 60_000;

describe('more roles than a page can show', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    await signIn(browser, await browser.get('/admin'), admin);
    await postern.db.query(
      'test-many-roles',
      `WITH made AS (INSERT INTO role (id, name, description, created_at)
         SELECT gen_random_uuid(), 'role-' || lpad(g::text, 3, '0'), 'What number ' || g || ' of them is for', now()
         FROM generate_series(1, $1::int) g RETURNING id)
       INSERT INTO role_reach (role_id, reaches_id) SELECT id, id FROM made`,
      [MANY],
    );
  });
  afterAll(() => postern.close());

  const roles = () => postern.parts.access.roles;
  const namesIn = (page: Page) =>
    [...page.html.matchAll(/href="\/admin\/roles\/(admin|role-\d+)"/g)].map(([, name]) => name);
  const link = (page: Page, rel: 'next' | 'prev') =>
    new RegExp(`rel="${rel}" href="([^"]+)"`).exec(page.html)?.[1]?.replaceAll('&amp;', '&');

  async function walk(start: string): Promise<Page[]> {
    const pages = [await browser.get(start)];
    for (let next = link(pages[0] as Page, 'next'); next && pages.length < 30; ) {
      const page = await browser.get(next);
      pages.push(page);
      next = link(page, 'next');
    }
    return pages;
  }

  test('the list goes by pages of 25, each role once, the built-in one first, and back the same way', async () => {
    const pages = await walk('/admin/roles');
    expect(pages).toHaveLength(13);
    const expected = Array.from({ length: MANY }, (_, index) => `role-${String(index + 1).padStart(3, '0')}`);
    expect(pages.flatMap(namesIn)).toEqual(['admin', ...expected]);
    let page = pages.at(-1) as Page;
    for (const before of pages.slice(0, -1).reverse()) {
      page = await browser.get(link(page, 'prev') ?? '');
      expect(namesIn(page)).toEqual(namesIn(before));
    }
    expect(link(page, 'prev')).toBeUndefined();
    for (const after of ['nonsense', Buffer.from("after own '; --").toString('base64url'), 'x'.repeat(500)]) {
      const shown = await browser.get(`/admin/roles?after=${after}`);
      expect([shown.status, namesIn(shown)[0]]).toEqual([200, 'admin']);
    }
  });

  test('it is searched by name and description, and the pages keep the search', async () => {
    expect(namesIn(await browser.get('/admin/roles?q=ROLE-123'))).toEqual(['role-123']);
    expect(namesIn(await browser.get('/admin/roles?q=number+77+of'))).toEqual(['role-077']);
    expect((await walk('/admin/roles?q=role-1')).flatMap(namesIn)).toHaveLength(100);
    for (const q of ['%25', '_', 'nowhere']) {
      expect((await browser.get(`/admin/roles?q=${q}`)).text).toContain('No role matches');
    }
  });

  test('every page with roles to choose from keeps its size', async () => {
    const service = await createService(postern);
    const team = await postern.parts.teams.create({ name: 'choosers' }, BY_TEST);
    const pages = [
      '/admin/roles',
      '/admin/roles/new',
      '/admin/roles/role-200/edit',
      '/admin/users/new',
      `/admin/users/${admin.id}`,
      `/admin/service-accounts/${service.id}`,
      `/admin/teams/${team.id}`,
    ];
    for (const path of pages) {
      const { status, html } = await browser.get(path);
      expect([path, status, html.length < MOST]).toEqual([path, 200, true]);
      expect(html.match(/role-\d{3}"/g)?.length ?? 0).toBeLessThanOrEqual(100);
    }
  });

  test('a person, a service account and a team get a role by its name, also one that is not suggested', async () => {
    const person = await createPerson(postern);
    const service = await createService(postern);
    const team = await postern.parts.teams.create({ name: 'named' }, BY_TEST);
    const holders = [`/admin/users/${person.id}`, `/admin/service-accounts/${service.id}`, `/admin/teams/${team.id}`];
    for (const path of holders) {
      const page = await browser.get(path);
      expect(page.html).toContain('<option value="role-001">');
      expect(page.html).not.toContain('<option value="role-300">');
      const refused = await browser.submit(page, 'role', { role: 'role-301' });
      expect([path, refused.status]).toEqual([path, 422]);
      expect(refused.html).toMatch(/value="role-301"[^>]*aria-invalid="true"/);
      expect(refused.html).toMatch(/id="role-error">.*There is no such role\./s);
      expect((await browser.submit(page, 'role', { role: ' ' })).status).toBe(422);
      const given = await browser.submit(page, 'role', { role: ' role-300 ' });
      expect(given.html).toContain('href="/admin/roles/role-300"');
    }
    expect(await roles().rolesOf({ userId: person.id })).toEqual(['role-300']);
  });

  test('inclusions are typed by name, begin with what is set, and a wrong name is said beside them', async () => {
    const form = await browser.get('/admin/roles/new');
    expect(form.html).not.toContain('name="includes[]"');
    const includes = ' role-299\r\nrole-300 role-300\n';
    await browser.submit(form, 'name', { name: 'both', includes });
    expect((await roles().byName('both'))?.includes).toEqual(['role-299', 'role-300']);
    const edit = await browser.get('/admin/roles/both/edit');
    expect(edit.html).toMatch(/<textarea id="includes"[^>]*>\s*role-299\nrole-300<\/textarea>/);
    const refused = await browser.submit(edit, 'includes', { includes: 'role-299 role-999' });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('There is no role role-999.');
    expect(refused.html).toMatch(/role-299 role-999<\/textarea>/);
    await browser.submit(edit, 'includes', { includes: '' });
    expect((await roles().byName('both'))?.includes).toEqual([]);
    const csrf = edit.forms.map(({ fields }) => fields._csrf).find(Boolean) ?? '';
    const fields = { _csrf: csrf, description: '', includes: 'x'.repeat(61) };
    expect((await browser.post('/admin/roles/both/edit', fields)).text).toContain('Use at most 60 characters.');
  });

  test('somebody is invited with roles by name; with one that there is not, nobody is', async () => {
    const form = await browser.get('/admin/users/new');
    const typed = { email: 'named@example.com', name: 'Named', roles: 'role-250 role-777' };
    const refused = await browser.submit(form, 'email', typed);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('There is no role role-777.');
    expect(await postern.db.prisma.user.count({ where: { email: typed.email } })).toBe(0);
    const made = await browser.submit(form, 'email', { ...typed, roles: 'role-250\nadmin' });
    expect(made.status).toBe(200);
    const { id } = await postern.db.prisma.user.findFirstOrThrow({ where: { email: typed.email } });
    expect(await roles().rolesOf({ userId: id })).toEqual(['admin', 'role-250']);
  });
});
