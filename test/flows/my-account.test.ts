import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generate } from 'otplib';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createApplication, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';

describe('one’s own account', () => {
  let postern: Postern;

  beforeAll(async () => {
    postern = await startPostern();
  });

  afterAll(() => postern.close());

  async function browserOf(person: Person): Promise<Agent> {
    const agent = createAgent(postern.url);
    const page = await signIn(agent, await agent.get('/account'), person);
    expect(page.url).toBe(`${postern.url}/account`);
    return agent;
  }

  const signedIn = async (agent: Agent) => (await agent.get('/account')).url === `${postern.url}/account`;

  test('S60 S79 the password changes only with the current one, and other browsers are signed out', async () => {
    const person = await createPerson(postern);
    const here = await browserOf(person);
    const elsewhere = await browserOf(person);
    const change = async (current_password: string, password: string) =>
      here.submit(await here.get('/account/password'), 'current_password', { current_password, password });

    const wrong = await change('not the password', 'seven green elephants');
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain('That is not your current password.');
    expect(wrong.html).not.toContain('seven green elephants');
    const weak = await change(person.password, 'password');
    expect(weak.status).toBe(422);
    expect(await signedIn(elsewhere)).toBe(true);

    const done = await change(person.password, 'seven green elephants');
    expect(done.text).toContain('Your password was changed.');
    expect(await signedIn(here)).toBe(true);
    expect(await signedIn(elsewhere)).toBe(false);
    expect(postern.logged.some((line) => line.subject === 'Your password was changed')).toBe(true);
    const events = await postern.parts.events.about(person.id, 10);
    expect(events.filter((event) => event.action === 'user.password_change').map((event) => event.outcome)).toEqual([
      'success',
      'failure',
    ]);
    await browserOf({ ...person, password: 'seven green elephants' });
  });

  test('S61 S90 guesses of the current password are limited as at sign-in', async () => {
    const person = await createPerson(postern);
    const here = await browserOf(person);
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const page = await here.get('/account/password');
      const answer = await here.submit(page, 'current_password', {
        current_password: `guess ${i}`,
        password: 'seven green elephants',
      });
      statuses.push(answer.status);
    }
    expect(statuses.slice(0, 5)).toEqual([422, 422, 422, 422, 422]);
    expect(statuses.at(-1)).toBe(429);
    const [newest] = await postern.parts.events.about(person.id, 1);
    expect(newest).toMatchObject({ action: 'user.password_change', outcome: 'denied', reason: 'throttled' });
  });

  test('S81 factors ask for a second factor that is younger than five minutes', async () => {
    const person = await createPerson(postern);
    const here = await browserOf(person);
    expect((await here.get('/account/factors/totp')).url).toBe(`${postern.url}/account/factors/totp`);
    moveTime(301);
    expect((await here.get('/account/factors')).url).toBe(`${postern.url}/account/factors`);
    const asked = await here.get('/account/factors/totp');
    expect(asked.url).toContain('/interaction/');
    const back = await signIn(here, asked, person);
    expect(back.url).toBe(`${postern.url}/account/factors/totp`);
  });

  test('S73 S79 another authenticator takes the place of the first, ends other sessions, and the owner is told', async () => {
    const person = await createPerson(postern);
    const here = await browserOf(person);
    const elsewhere = await browserOf(person);
    const page = await here.get('/account/factors/totp');
    const wrong = await here.submit(page, 'code', { code: '000000' });
    expect(wrong.status).toBe(422);
    const secret = /[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}/.exec(wrong.text)?.[0].replaceAll(' ', '') ?? '';
    const done = await here.submit(wrong, 'code', { code: await generate({ secret }) });
    expect(done.text).toContain('The new app works from now on.');
    expect(await signedIn(elsewhere)).toBe(false);
    expect(postern.logged.some((line) => line.subject === 'Your authenticator app was replaced')).toBe(true);
    const old = createAgent(postern.url);
    const refused = await signIn(old, await old.get('/account'), person);
    expect(refused.status).toBe(422);
  });

  test('a key that was sealed for somebody else, or long ago, enrols nobody', async () => {
    const person = await createPerson(postern);
    const other = await createPerson(postern);
    const here = await browserOf(person);
    const theirs = await browserOf(other);
    const foreign = (await theirs.get('/account/factors/totp')).forms.find((form) => form.fields.enrollment)?.fields;
    const mine = await here.get('/account/factors/totp');
    const refused = await here.submit(mine, 'code', { enrollment: foreign?.enrollment ?? '', code: '123456' });
    expect(refused.status).toBe(410);
  });

  test('S68 S86 new recovery codes are shown once, and the ones before end', async () => {
    const person = await createPerson(postern);
    const [before = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
    const here = await browserOf(person);
    const page = await here.get('/account/factors/recovery-codes');
    const made = await here.submit(page, '/account/factors/recovery-codes');
    expect(made.html.match(/<li><code>/g)).toHaveLength(10);
    expect((await here.get('/account/factors')).html).not.toContain('<li><code>');
    expect(await postern.parts.credentials.recovery.use(person.id, before)).toBe(false);
  });

  test('S80 S83 people end their other sessions, and nobody else’s', async () => {
    const person = await createPerson(postern);
    const other = await createPerson(postern);
    const here = await browserOf(person);
    const elsewhere = await browserOf(person);
    const theirs = await browserOf(other);
    const page = await here.get('/account/sessions');
    expect(page.text).toContain('This browser');
    const { _csrf = '' } = page.forms.find((form) => form.action.endsWith('/end-others'))?.fields ?? {};
    const [foreign] = await postern.parts.sessions.listForUser(other.id);
    expect((await here.post(`/account/sessions/${foreign?.uid}/end`, { _csrf })).status).toBe(404);
    await here.submit(page, '/account/sessions/end-others');
    expect([await signedIn(here), await signedIn(elsewhere), await signedIn(theirs)]).toEqual([true, false, true]);
  });

  test('S20 taking consent back ends what the application holds at once', async () => {
    const person = await createPerson(postern);
    const application = await createApplication(postern, { firstParty: false });
    const { db } = postern;
    await db.query(
      'test-consent',
      `INSERT INTO consent (user_id, client_id, scopes, created_at, updated_at) VALUES ($1, $2, '{openid,email}', now(), now())`,
      [person.id, application.clientId],
    );
    await db.query(
      'test-token',
      `INSERT INTO token (id_hash, kind, jti, user_id, client_id, scopes, created_at, expires_at)
       VALUES ('\\x01', 'RefreshToken', 'test-refresh', $1, $2, '{openid}', now(), now() + interval '1 day')`,
      [person.id, application.clientId],
    );
    const here = await browserOf(person);
    const page = await here.get('/account/applications');
    expect(page.text).toContain('See your e-mail address');
    const done = await here.submit(page, '/account/applications/withdraw');
    expect(done.text).toContain('No applications yet');
    const rows = await db.query<{ revoked: boolean }>(
      'test-revoked',
      "SELECT revoked_at IS NOT NULL AS revoked FROM token WHERE jti = 'test-refresh'",
      [],
    );
    expect(rows).toEqual([{ revoked: true }]);
  });
});
