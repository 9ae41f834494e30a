import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generate } from 'otplib';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { authorizePath, codeRequest } from '../support/oauth.ts';
import { type Application, BY_TEST, createApplication, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let application: Application;

beforeAll(async () => {
  postern = await startPostern();
  application = await createApplication(postern);
});
afterAll(() => postern.close());

interface UnderWay {
  agent: Agent;
  page: Page;
  /** Of its interaction's first page, which leads to where it stands. */
  home: string;
}

/** A browser in which the password was proven, and nothing else. */
async function atFactor({ email, password }: Person): Promise<UnderWay> {
  const agent = createAgent(postern.url);
  const first = await agent.get(authorizePath(codeRequest(application).params));
  const page = await agent.submit(first, 'password', { login: email, password });
  expect(page.url).toMatch(/\/factor$/);
  return { agent, page, home: page.url.replace(/\/factor$/, '') };
}

/** One in which all was proven, with a recovery code and a new authenticator: only that codes are kept is not yet said. */
async function atCodes(person: Person): Promise<UnderWay> {
  const [code = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
  const { agent, home } = await atFactor(person);
  const enroll = await agent.submit(await agent.get(`${home}/recovery`), 'code', { code });
  const [key = ''] = /(?:[A-Z2-7]{4} ?){8}/.exec(enroll.text) ?? [];
  const page = await agent.submit(enroll, 'code', { code: await generate({ secret: key.replaceAll(' ', '') }) });
  expect(page.forms.some(({ action }) => action.endsWith('/recovery-codes'))).toBe(true);
  return { agent, page, home };
}

/** The way out leads to the password, and to no session. */
async function expectForgotten({ agent, page, home }: UnderWay, person: Person): Promise<void> {
  const keep = page.forms.find(({ action }) => action.endsWith('/recovery-codes'));
  if (keep) {
    const answer = await agent.post(new URL(keep.action, page.url).href, keep.fields);
    expect(answer.leaves).toBeUndefined();
  }
  const standing = await agent.get(home);
  expect(standing.url).toBe(home);
  expect(standing.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
  expect(await postern.db.prisma.signInAttempt.count({ where: { userId: person.id } })).toBe(0);
}

describe('S79 a sign-in that is under way counts no more', () => {
  const byAdmin: [string, (id: string) => Promise<unknown>][] = [
    ['after an admin reset the factors', (id) => postern.parts.users.resetFactors(id, BY_TEST)],
    ['after an admin ended the sessions', (id) => postern.parts.users.endSessions(id, BY_TEST)],
    [
      'S78 after the account was disabled, also where it is enabled again',
      async (id) => {
        await postern.parts.users.disable(id, BY_TEST);
        await postern.parts.users.enable(id, BY_TEST);
      },
    ],
  ];
  test.each(byAdmin)('%s', async (_, change) => {
    const person = await createPerson(postern);
    const underWay = await atCodes(person);
    await change(person.id);
    await expectForgotten(underWay, person);
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(0);
  });

  test('after the person changed the password', async () => {
    const person = await createPerson(postern);
    const own = await browserOf(postern, person, '/account/password');
    const underWay = await atFactor(person);
    const values = { current_password: person.password, password: 'nine purple walruses' };
    await own.submit(await own.get('/account/password'), 'current_password', values);
    await expectForgotten(underWay, person);
  });

  test('after the person signed out everywhere else, or made new recovery codes', async () => {
    const person = await createPerson(postern);
    const own = await browserOf(postern, person, '/account');
    for (const [path, form] of [
      ['/account/sessions', '/end-others'],
      ['/account/factors/recovery-codes', '/recovery-codes'],
    ] as const) {
      await browserOf(postern, person, '/account');
      const underWay = await atFactor(person);
      expect((await own.submit(await own.get(path), form)).status).toBe(200);
      await expectForgotten(underWay, person);
    }
  });

  test('after a recovery code led to a new factor in another browser, which itself goes on', async () => {
    const person = await createPerson(postern);
    const underWay = await atFactor(person);
    const { agent, page } = await atCodes(person);
    expect((await underWay.agent.get(underWay.home)).url).toBe(underWay.home);
    expect((await agent.submit(page, '/recovery-codes')).leaves?.searchParams.has('code')).toBe(true);
  });
});

describe('S79 a sign-in whose answer the browser held back counts no more', () => {
  /** All was proven; the browser has not gone back into the authorization request yet. */
  async function heldBack(person: Person): Promise<{ agent: Agent; back: string }> {
    const { agent, page } = await atFactor(person);
    const form = page.forms.find(({ inputs }) => inputs.includes('code'));
    const response = await fetch(new URL(form?.action ?? '', page.url), {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: agent.cookies.map(({ name, value }) => `${name}=${value}`).join('; ') },
      body: new URLSearchParams({ ...form?.fields, code: await person.code() }),
    });
    const back = response.headers.get('location') ?? '';
    expect(back).toContain('/oauth2/authorize/');
    return { agent, back };
  }

  test('it works where nothing happened meanwhile', async () => {
    const { agent, back } = await heldBack(await createPerson(postern));
    expect((await agent.get(back)).leaves?.searchParams.has('code')).toBe(true);
  });

  test.each<[string, (id: string) => Promise<unknown>]>([
    ['after an admin reset the factors', (id) => postern.parts.users.resetFactors(id, BY_TEST)],
    ['after an admin ended the sessions', (id) => postern.parts.users.endSessions(id, BY_TEST)],
    [
      'S78 after the account was disabled, also where it is enabled again',
      async (id) => {
        await postern.parts.users.disable(id, BY_TEST);
        await postern.parts.users.enable(id, BY_TEST);
      },
    ],
  ])('%s', async (_, change) => {
    const person = await createPerson(postern);
    const { agent, back } = await heldBack(person);
    await change(person.id);
    const answer = await agent.get(back);
    expect(answer.leaves?.searchParams.has('code') ?? false).toBe(false);
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(0);
  });

  test('on the consent page, too', async () => {
    const other = await createApplication(postern, { firstParty: false });
    const person = await createPerson(postern);
    const agent = createAgent(postern.url);
    const consent = await signIn(agent, await agent.get(authorizePath(codeRequest(other).params)), person);
    expect(consent.url).toMatch(/\/consent$/);
    await postern.parts.users.endSessions(person.id, BY_TEST);
    const answer = await agent.submit(consent, '/consent');
    expect(answer.leaves?.searchParams.has('code') ?? false).toBe(false);
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(0);
  });
});
