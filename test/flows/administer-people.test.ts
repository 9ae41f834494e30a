import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

describe('administering people', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    const overview = await signIn(browser, await browser.get('/admin'), admin);
    expect(overview.url).toBe(`${postern.url}/admin`);
  });

  afterAll(() => postern.close());

  async function act(path: string, values: Record<string, string> = {}) {
    const page = await browser.get(path.replace(/\/[^/]+$/, ''));
    return browser.submit(page, path, values);
  }

  async function eventsOf(id: string): Promise<string[]> {
    return (await postern.parts.events.about(id, 50)).map((event) => `${event.action} ${event.outcome}`);
  }

  test('S72 an invitation is shown once, works once, and a new one ends the one before', async () => {
    const page = await browser.get('/admin/users/new');
    const shown = await browser.submit(page, 'email', { email: 'new.person@example.com', name: 'New Person' });
    const link = /http\S+\/invite\?token=[\w-]+/.exec(shown.text)?.[0] ?? '';
    expect(shown.headers.get('cache-control')).toContain('no-store');
    expect((await createAgent(postern.url).get(link)).status).toBe(200);

    const id = await postern.parts.users.find('new.person@example.com');
    const detail = await browser.get(`/admin/users/${id}`);
    expect(detail.text).not.toContain('token=');
    const again = await act(`/admin/users/${id}/invite`);
    const second = /http\S+\/invite\?token=[\w-]+/.exec(again.text)?.[0] ?? '';
    expect(second).not.toBe(link);
    expect((await createAgent(postern.url).get(link)).status).toBeGreaterThanOrEqual(400);
    expect((await createAgent(postern.url).get(second)).status).toBe(200);
    expect(await eventsOf(id)).toEqual(expect.arrayContaining(['user.create success', 'user.invite success']));
  });

  test('an address that is taken is said beside its field, and what was typed stays', async () => {
    const page = await browser.get('/admin/users/new');
    const refused = await browser.submit(page, 'email', { email: admin.email.toUpperCase(), name: 'Other' });
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('Somebody has an account with this address already.');
    expect(refused.html).toContain(`value="${admin.email.toUpperCase()}"`);
  });

  test('S78 disabling ends every session at once, and signing in is refused until it is enabled', async () => {
    const person = await createPerson(postern);
    const theirs = createAgent(postern.url);
    expect((await signIn(theirs, await theirs.get('/account'), person)).url).toBe(`${postern.url}/account`);
    await act(`/admin/users/${person.id}/disable`);
    expect((await theirs.get('/account')).url).toContain('/interaction/');
    expect(await postern.parts.sessions.listForUser(person.id)).toEqual([]);
    const refused = createAgent(postern.url);
    expect((await signIn(refused, await refused.get('/account'), person).catch(() => null))?.url).not.toBe(
      `${postern.url}/account`,
    );
    await act(`/admin/users/${person.id}/enable`);
    const back = createAgent(postern.url);
    expect((await signIn(back, await back.get('/account'), person)).url).toBe(`${postern.url}/account`);
    expect(await eventsOf(person.id)).toEqual(expect.arrayContaining(['user.disable success', 'user.enable success']));
  });

  test('S80 an admin ends one session of a person, and not one that is somebody else’s', async () => {
    const person = await createPerson(postern);
    const theirs = createAgent(postern.url);
    await signIn(theirs, await theirs.get('/account'), person);
    const [session] = await postern.parts.sessions.listForUser(person.id);
    const page = await browser.get(`/admin/users/${person.id}`);
    const { _csrf = '' } = page.forms.find((form) => form.fields._csrf)?.fields ?? {};
    const [own] = await postern.parts.sessions.listForUser(admin.id);
    const foreign = await browser.post(`/admin/users/${person.id}/sessions/${own?.uid}/end`, { _csrf });
    expect(foreign.status).toBe(404);
    await browser.post(`/admin/users/${person.id}/sessions/${session?.uid}/end`, { _csrf });
    expect((await theirs.get('/account')).url).toContain('/interaction/');
  });

  test('S71 resetting factors chooses nothing: the next sign-in enrols anew, and the owner is told', async () => {
    const person = await createPerson(postern);
    await act(`/admin/users/${person.id}/reset-factors`);
    const theirs = createAgent(postern.url);
    const next = await theirs.submit(await theirs.get('/account'), 'password', {
      login: person.email,
      password: person.password,
    });
    expect(next.url).toMatch(/\/enroll$/);
    expect(postern.logged.some((line) => line.subject === 'Your second factor was reset')).toBe(true);
  });

  test('nobody disables themself, and the last admin stays one', async () => {
    const page = await browser.get(`/admin/users/${admin.id}`);
    const { _csrf = '' } = page.forms.find((form) => form.fields._csrf)?.fields ?? {};
    expect(page.text).not.toContain('is signed out everywhere at once');
    for (const action of ['disable', 'reset-factors']) {
      expect((await browser.post(`/admin/users/${admin.id}/${action}`, { _csrf })).status).toBe(409);
    }
    expect((await browser.post(`/admin/users/${admin.id}/roles/remove`, { _csrf, role: 'admin' })).status).toBe(409);
    expect((await browser.get('/admin')).status).toBe(200);
  });

  test('of two admins who take each other’s role at the same time, one stays', async () => {
    const others = [
      await createPerson(postern, { roles: ['admin'] }),
      await createPerson(postern, { roles: ['admin'] }),
    ];
    const everybody = [admin, ...others];
    const by = { by: { type: 'system', name: 'test' } } as const;
    const results = await Promise.allSettled(
      everybody.map((person) => postern.parts.users.unassignRole(person.id, 'admin', by)),
    );
    expect(results.filter((result) => result.status === 'rejected')).toHaveLength(1);
    expect(await postern.parts.accounts.hasAdmin()).toBe(true);
    await postern.parts.users.assignRole(admin.id, 'admin', by);
  });

  test('S85 without the role the next request is refused, and S90 that is recorded', async () => {
    const second = await createPerson(postern, { roles: ['admin'] });
    const theirs = createAgent(postern.url);
    expect((await signIn(theirs, await theirs.get('/admin/users'), second)).status).toBe(200);
    const page = await browser.get(`/admin/users/${second.id}`);
    await browser.submit(page, `/admin/users/${second.id}/roles/remove`, { role: 'admin' });
    expect((await theirs.get('/admin/users')).status).toBe(403);
    expect(await eventsOf(second.id)).toContain('access.denied denied');
  });

  test('S83 S84 S92 ids that are absent or nonsense are one and the same 404; extra fields are refused', async () => {
    const absent = await browser.get('/admin/users/01a201c9-750b-7750-8fde-000000000000');
    expect(absent.status).toBe(404);
    for (const id of ['1', "'%20OR%201=1", '%00', '../users', '%F0%9F%A6%8A']) {
      const { status } = await browser.get(`/admin/users/${id}`);
      expect([400, 404].includes(status) || (id === '../users' && status === 200)).toBe(true);
    }
    const page = await browser.get('/admin/users/new');
    const extra = await browser.submit(page, 'email', { email: 'x@example.com', name: 'X', status: 'active' });
    expect(extra.status).toBe(400);
    expect((await browser.get('/admin/users?q=%25&status=x&after=%7B%7D')).status).toBe(200);
  });

  test('the list finds people by name and address, and pages through all of them', async () => {
    await postern.db.query(
      'test-many',
      `INSERT INTO user_account (id, email, email_normalized, name, status, created_at, updated_at)
       SELECT gen_random_uuid(), 'many' || g || '@example.com', 'many' || g || '@example.com', 'Many ' || g, 'active',
         timestamptz '2026-01-01' - (g / 3) * interval '1 second', now() FROM generate_series(1, 10000) g`,
      [],
    );
    const seen = new Set<string>();
    let after: string | undefined;
    for (let i = 0; i < 5; i++) {
      const page = await postern.parts.users.list({ search: 'MANY', after });
      for (const user of page.items) seen.add(user.id);
      after = page.next;
    }
    expect(seen.size).toBe(125);
    expect((await postern.parts.users.list({ search: 'many 9999' })).items.map((user) => user.name)).toEqual([
      'Many 9999',
    ]);
    expect((await postern.parts.users.list({ search: '%' })).items).toEqual([]);
    const begun = performance.now();
    await browser.get('/admin/users?q=many9999@');
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  test('S97 the audit log leaves as CSV in which no cell runs, and the export is recorded', async () => {
    await postern.parts.users.invite(
      { email: 'formula@example.com', name: 'x' },
      { by: { type: 'user', name: '=cmd|x' } },
    );
    const page = await browser.get('/admin/audit?action=user.create');
    const file = await browser.submit(page, 'format', { format: 'csv' });
    expect(file.headers.get('content-type')).toContain('text/csv');
    expect(file.headers.get('content-disposition')).toContain('audit.csv');
    expect(file.html).toContain(`"'=cmd|x"`);
    expect(await eventsOf(admin.id)).toContain('audit.export success');
  });
});
