import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { CLIENT_CHANGED } from '../../src/platform/db/notify.ts';
import { type Agent, createAgent } from '../support/browserless.ts';
import { csrfOf } from '../support/console.ts';
import { clientCredentials, getCode, redeem, refresh } from '../support/oauth.ts';
import {
  asError,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  signIn,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

describe('assignments that end', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;
  let csrf: string;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = createAgent(postern.url);
    await signIn(browser, await browser.get('/admin'), admin);
    csrf = csrfOf(await browser.get('/admin/roles/new'));
  });
  afterAll(() => postern.close());

  const make = (name: string, permissions: string[] = []) =>
    postern.parts.access.roles.create({ name, permissions }, BY_TEST);
  /** As a field of the kind datetime-local sends it: no offset, which is UTC. */
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);
  const ended = (role: string) =>
    postern.db.query(
      'test-ended',
      `UPDATE assignment SET expires_at = now() - interval '1 second' WHERE role_id = (SELECT id FROM role WHERE name = $1)`,
      [role],
    );

  test('a person, a service account and a team get one with an end, which their pages and the role’s show', async () => {
    await make('temp');
    const [person, service] = [await createPerson(postern), await createService(postern)];
    const team = await postern.parts.teams.create({ name: 'temps' }, BY_TEST);
    const pages = [`/admin/users/${person.id}`, `/admin/service-accounts/${service.id}`, `/admin/teams/${team.id}`];
    const expires = inDays(30);
    for (const page of pages) {
      const shown = await browser.submit(await browser.get(page), 'expires', { role: 'temp', expires });
      expect(shown.status).toBe(200);
      expect(shown.html).toContain(`datetime="${expires}:00.000Z"`);
      expect(shown.html).toContain(`href="/admin/users/${admin.id}"`);
    }
    const role = await browser.get('/admin/roles/temp');
    expect(role.html.match(new RegExp(`datetime="${expires}`, 'g'))).toHaveLength(3);
    const [event] = await postern.parts.events.about(team.id, 1);
    expect(event).toMatchObject({ action: 'role.assign', actorId: admin.id, targetType: 'team' });
    expect(event?.data).toEqual({ role: 'temp', expiresAt: `${expires}:00.000Z` });

    // Giving it again changes the end, or takes it away; the same again changes nothing.
    const give = (end: string) =>
      browser.post('/admin/roles/temp/holders', { _csrf: csrf, holder: person.email, expires: end });
    expect((await give(expires)).text).toContain('holds the role already.');
    expect((await give(inDays(60))).text).toContain('holds the role on the new terms.');
    expect((await give('')).text).toContain('holds the role on the new terms.');
    expect((await browser.get(pages[0] ?? '')).text).toContain('temp Given directly No end');
    for (const page of pages) {
      const taken = await browser.submit(await browser.get(page), `${page}/roles/remove`);
      expect(taken.text).not.toContain('Given directly');
      expect(taken.text).not.toContain('Given to this team');
    }
  });

  test('S84 S92 an end is a real moment, to come, within ten years: anything else is said beside the field', async () => {
    await make('bounded');
    const [person, service] = [await createPerson(postern), await createService(postern)];
    const team = await postern.parts.teams.create({ name: 'bounded' }, BY_TEST);
    const forms: [string, Record<string, string>][] = [
      [`/admin/users/${person.id}/roles`, { role: 'bounded' }],
      [`/admin/service-accounts/${service.id}/roles`, { role: 'bounded' }],
      [`/admin/teams/${team.id}/roles`, { role: 'bounded' }],
      ['/admin/roles/bounded/holders', { holder: person.email }],
    ];
    const wrong: [string, string][] = [
      ['tomorrow', 'Enter a date and time'],
      ['2027-02-30T10:00', 'Enter a date and time'],
      ['2027-13-01T10:00', 'Enter a date and time'],
      ['2027-01-01T25:00', 'Enter a date and time'],
      ['99999999-01-01T00:00', 'Enter a date and time'],
      ['1e12', 'Enter a date and time'],
      ['<script>', 'Enter a date and time'],
      ['2020-01-01T00:00', 'Choose a time in the future.'],
      [inDays(3_700), 'Choose a time within the next ten years.'],
      ['x'.repeat(41), 'Use at most 40 characters.'],
    ];
    for (const [path, fields] of forms) {
      for (const [expires, text] of path.includes('users') ? wrong : wrong.slice(5)) {
        const refused = await browser.post(path, { _csrf: csrf, ...fields, expires });
        expect([path, expires, refused.status]).toEqual([path, expires, 422]);
        expect(refused.text).toContain(text);
        expect(refused.html).not.toContain('<script>"');
      }
    }
    expect(await postern.parts.access.roles.rolesOf({ userId: person.id })).toEqual([]);
    expect(
      await postern.parts.access.roles.assign('bounded', { userId: person.id }, BY_TEST, {
        expires: '2030-01-01T00:00+02:00',
      }),
    ).toBe('given');
    const [held] = await postern.parts.access.roles.heldBy({ userId: person.id });
    expect(held?.expiresAt?.toISOString()).toBe('2029-12-31T22:00:00.000Z');
  });

  test('S85 an end counts at its moment, for a service whose record is kept in memory, too', async () => {
    const audience = await createApi(postern, ['read', 'write']);
    await make('hourly', [`${audience}#write`]);
    const service = await createService(postern, [`${audience}#read`]);
    const holder = { serviceAccountId: service.id };
    let told = false;
    const stop = await postern.db.listen(CLIENT_CHANGED, (payload) => {
      told ||= payload === 'the last';
    });
    await postern.parts.access.roles.assign('hourly', holder, BY_TEST, { expires: `${inDays(1)}Z` });
    // Notifications come in order: after this one no other makes the record stale.
    await postern.db.notify(CLIENT_CHANGED, 'the last');
    await until(async () => told);
    await stop();
    const scope = async () => (await clientCredentials(postern.url, service)).body.scope;
    expect(await scope()).toBe('read write');
    // It ends in the database, of which nobody tells; a record that counts for 30 seconds still says otherwise.
    await ended('hourly');
    expect(await scope()).toBe('read write');
    moveTime(86_400);
    expect(await scope()).toBe('read');
    moveTime(-86_400);
    expect((await browser.get(`/admin/service-accounts/${service.id}`)).text).toContain('hourly Given directly Ended');
    expect(await postern.parts.access.roles.rolesOf(holder)).toEqual([]);
  });

  test('S85 S32 so it does for a person: pages, refresh tokens, what is included, and by a team', async () => {
    const audience = await createApi(postern, ['read']);
    await make('seasonal', [`${audience}#read`]);
    await postern.parts.access.roles.create({ name: 'season', includes: ['seasonal'] }, BY_TEST);
    const application = await createApplication(postern, { permissions: [`${audience}#read`] });
    const person = await createPerson(postern);
    const team = await postern.parts.teams.create({ name: 'season-team' }, BY_TEST);
    await postern.parts.teams.members.add(team.id, person.email, BY_TEST);
    await postern.parts.access.roles.assign('season', { teamId: team.id }, BY_TEST, { expires: inDays(2) });
    const agent = createAgent(postern.url);
    const extra = { scope: 'openid roles offline_access read', resource: audience, prompt: 'consent' };
    const got = await getCode(agent, application, person, extra);
    const first = await redeem(postern.url, application, got, { resource: audience });
    expect(decodeJwt(String(first.body.access_token))).toMatchObject({ scope: 'read', roles: ['season', 'seasonal'] });
    expect((await agent.get('/account')).text).toContain('Roles season seasonal');
    await ended('season');
    const next = await refresh(postern.url, application, String(first.body.refresh_token), { resource: audience });
    const claims = next.status === 200 ? decodeJwt(String(next.body.access_token)) : {};
    expect(String(claims.scope)).not.toMatch(/\bread\b/);
    expect(claims.roles ?? []).toEqual([]);
    expect((await agent.get('/account')).text).toContain('Roles None');
  });

  test('S85 an admin for a day is none after it, and somebody always stays admin with no end', async () => {
    const { roles } = postern.parts.access;
    const alone = await asError(roles.assign('admin', { userId: admin.id }, BY_TEST, { expires: inDays(1) }));
    expect(alone.fields).toEqual({ expires: { code: 'roles.last_lasting_admin' } });
    const day = await createPerson(postern);
    await roles.assign('admin', { userId: day.id }, BY_TEST, { expires: inDays(1) });
    // The temporary one does not count: the other has to stay.
    expect((await asError(roles.unassign('admin', { userId: admin.id }, BY_TEST))).code).toBe('roles.last_admin');
    expect((await asError(postern.parts.users.disable(admin.id, BY_TEST))).code).toBe('users.last_admin');
    expect((await asError(postern.parts.users.delete(admin.id, BY_TEST))).code).toBe('roles.last_admin');
    const theirs = createAgent(postern.url);
    await signIn(theirs, await theirs.get('/admin'), day);
    expect((await theirs.get('/admin')).status).toBe(200);
    await postern.db.query('test-day', 'UPDATE assignment SET expires_at = now() WHERE user_id = $1', [day.id]);
    expect((await theirs.get('/admin')).status).toBe(403);
    expect((await theirs.get('/account')).status).toBe(200);
    // Given again after its end it begins anew.
    expect(await roles.assign('admin', { userId: day.id }, BY_TEST)).toBe('given');
    expect(await roles.assign('admin', { userId: admin.id }, BY_TEST, { expires: inDays(1) })).toBe('changed');
    expect(await roles.assign('admin', { userId: admin.id }, BY_TEST)).toBe('changed');
    await roles.unassign('admin', { userId: day.id }, BY_TEST);
  });
});
