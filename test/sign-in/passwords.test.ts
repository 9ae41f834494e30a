import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Agent, Page } from '../support/browserless.ts';
import { browserAt, freshAddress } from '../support/console.ts';
import { BY_TEST, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';

let postern: Postern;
let address: string;
/** What argon2 was asked to do, in order. */
const work: ('verify' | 'burn')[] = [];

beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_TRUSTED_PROXIES: '127.0.0.1' } });
  const { hasher } = postern.parts;
  const { verify, burn } = hasher;
  hasher.verify = (...input) => {
    work.push('verify');
    return verify(...input);
  };
  hasher.burn = (...input) => {
    work.push('burn');
    return burn(...input);
  };
});
afterAll(() => postern.close());
beforeEach(() => {
  address = freshAddress();
  work.length = 0;
});

const browser = () => browserAt(postern, address);

async function tryPassword(agent: Agent, login: string, password: string): Promise<Page> {
  return agent.submit(await agent.get('/account'), 'password', { login, password });
}

const atFactor = (page: Page) => page.status === 200 && page.url.endsWith('/factor');

async function fail(agent: Agent, login: string, times: number): Promise<number[]> {
  const page = await agent.get('/account');
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) {
    statuses.push((await agent.submit(page, 'password', { login, password: `wrong guess ${i}` })).status);
  }
  return statuses;
}

/** Each answer names its own request. */
const withoutRequestId = (text: string) => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…');

describe('choosing a password', () => {
  async function invited(name: string): Promise<{ agent: Agent; form: Page; email: string }> {
    const email = `${name.toLowerCase().replace(/\W+/g, '.')}.${randomBytes(3).toString('hex')}@example.com`;
    const { inviteUrl } = await postern.parts.users.invite({ email, name }, BY_TEST);
    const agent = browser();
    return { agent, form: await agent.get(inviteUrl), email };
  }

  test('S57 seven characters are refused beside the field, eight are taken', async () => {
    const { agent, form } = await invited('Short Password');
    const refused = await agent.submit(form, 'password', { password: 'kx7#qPm' });
    expect(refused.status).toBe(422);
    expect(refused.html).toMatch(/id="password"[^>]*aria-invalid="true"/);
    expect(refused.html).not.toContain('kx7#qPm');
    const taken = await agent.submit(form, 'password', { password: 'kx7#qPmz' });
    expect(taken.url).toMatch(/\/interaction\//);
  });

  test('S57 a long one counts to its last character, over the pages too', async () => {
    const password = `${'long and winding Straße 🛤️ '.repeat(12)}end`;
    const { agent, form, email } = await invited('Long Password');
    expect((await agent.submit(form, 'password', { password })).url).toMatch(/\/interaction\//);
    expect((await tryPassword(browser(), email, password.slice(0, -1))).status).toBe(422);
    // No authenticator yet: the right password leads to its enrolment.
    expect((await tryPassword(browser(), email, password)).url).toMatch(/\/enroll$/);
  });

  test.each([
    ['common', 'Password123!'],
    ['a pattern', 'abcdefghijkl'],
    ['the product', 'Postern2026!'],
    ['the name', 'Marguerite1!'],
    ['the address', 'marguerite.duras'],
  ])('S58 what anybody would guess is refused: %s', async (_what, password) => {
    const { agent, form } = await invited('Marguerite Duras');
    const refused = await agent.submit(form, 'password', { password });
    expect(refused.status).toBe(422);
    expect(refused.html).toMatch(/id="password"[^>]*aria-invalid="true"/);
  });

  test.each(['only lower case words', '73518246091357', 'éèêëēėęû ñandú'])(
    'S59 nothing is asked of its composition: %s',
    async (password) => {
      const { agent, form } = await invited('Composed Freely');
      expect((await agent.submit(form, 'password', { password })).url).toMatch(/\/interaction\//);
    },
  );
});

describe('guessing', () => {
  test('S61 the owner gets in from a device that signed in before, whatever strangers try', async () => {
    const person = await createPerson(postern);
    const owner = browser();
    await signIn(owner, await owner.get('/account'), person);
    // The device stays, the sessions do not.
    const device = owner.cookies.filter(({ name }) => name.includes('device'));
    expect(device).toHaveLength(1);
    await postern.parts.users.endSessions(person.id, BY_TEST);

    address = freshAddress();
    const statuses = await fail(browser(), person.email, 7);
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429, 429]);
    const stranger = await tryPassword(browser(), person.email, person.password);
    expect(stranger.status).toBe(429);
    expect(Number(stranger.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(atFactor(await tryPassword(owner, person.email, person.password))).toBe(true);
  });

  test('S61 after a hundred failures in a row waiting does not help a stranger, and the owner gets in', async () => {
    const person = await createPerson(postern);
    const owner = browser();
    await signIn(owner, await owner.get('/account'), person);
    await postern.parts.users.endSessions(person.id, BY_TEST);
    address = freshAddress();
    await fail(browser(), person.email, 5);
    await postern.db.prisma.abuseCounter.updateMany({ where: { failures: 5 }, data: { failures: 99 } });
    moveTime(3600);
    address = freshAddress();
    expect(await fail(browser(), person.email, 1)).toEqual([422]);
    moveTime(30 * 86_400);
    address = freshAddress();
    expect((await tryPassword(browser(), person.email, person.password)).status).toBe(429);
    expect(atFactor(await tryPassword(owner, person.email, person.password))).toBe(true);
  });

  test('S61 what others at the same address did does not hold back a device that signed in before', async () => {
    const person = await createPerson(postern);
    const owner = browser();
    await signIn(owner, await owner.get('/account'), person);
    await postern.parts.users.endSessions(person.id, BY_TEST);
    const statuses: number[] = [];
    for (let index = 0; index < 51; index++) statuses.push(...(await fail(browser(), `x${index}@example.com`, 1)));
    expect(statuses).toEqual([...Array.from({ length: 50 }, () => 422), 429]);
    expect((await tryPassword(browser(), person.email, person.password)).status).toBe(429);
    const factor = await tryPassword(owner, person.email, person.password);
    expect(atFactor(factor)).toBe(true);
    const done = await owner.submit(factor, 'code', { code: await person.code() });
    expect(done.url).toBe(`${postern.url}/account`);
  });

  test('S61 an admin opens a closed account again, and the owner gets in from a new device', async () => {
    const admin = await createPerson(postern, { roles: ['admin'] });
    const office = browser();
    await signIn(office, await office.get('/admin'), admin);
    const person = await createPerson(postern);
    const pagePath = `/admin/users/${person.id}`;
    const unlock = `${pagePath}/unlock`;
    const offered = async () => (await office.get(pagePath)).forms.some(({ action }) => action === unlock);
    const close = async () => {
      address = freshAddress();
      await fail(browser(), person.email, 5);
      await postern.db.prisma.abuseCounter.updateMany({ where: { failures: 5 }, data: { failures: 100 } });
      address = freshAddress();
      expect((await tryPassword(browser(), person.email, person.password)).status).toBe(429);
    };
    const opened = async () => atFactor(await tryPassword(browser(), person.email, person.password));
    expect(await offered()).toBe(false);

    await close();
    const page = await office.get(pagePath);
    expect(page.text).toContain('Waiting does not open it again');
    const after = await office.submit(page, unlock);
    expect(after.text).toContain('Sign-in is unlocked.');
    expect(await offered()).toBe(false);
    expect(await opened()).toBe(true);
    const [event] = await postern.parts.events
      .about(person.id, 50)
      .then((events) => events.filter(({ action }) => action === 'user.unlock'));
    expect(event).toMatchObject({ outcome: 'success', actorId: admin.id, targetId: person.id });
    expect(after.text).toContain('Sign-in unlocked');

    address = freshAddress();
    await fail(browser(), person.email, 6);
    expect((await office.get(pagePath)).text).toContain('has to wait until');

    await close();
    await postern.parts.users.disable(person.id, BY_TEST);
    await postern.parts.users.enable(person.id, BY_TEST);
    expect(await opened()).toBe(true);

    await close();
    await postern.parts.users.resetFactors(person.id, BY_TEST);
    expect((await tryPassword(browser(), person.email, person.password)).url).toMatch(/\/enroll$/);
  });

  test('S61 parallel guesses are counted before any is looked at', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const page = await agent.get('/account');
    work.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        agent.submit(page, 'password', { login: person.email, password: `guess ${i} of many` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
    expect(work).toHaveLength(5);
  });

  test('S62 other spellings of a login are no other login', async () => {
    const person = await createPerson(postern);
    const spellings = [
      person.email,
      person.email.toUpperCase(),
      `  ${person.email} `,
      person.email.replace('p', 'ｐ'),
      person.email.replace('e', 'Ｅ'),
    ];
    const agent = browser();
    const page = await agent.get('/account');
    for (const login of spellings) {
      expect((await agent.submit(page, 'password', { login, password: 'wrong guess' })).status).toBe(422);
    }
    expect((await agent.submit(page, 'password', { login: person.email, password: person.password })).status).toBe(429);
  });

  test('S62 a subscriber’s IPv6 addresses count as one, another’s do not', async () => {
    const at = (from: string, login: string) => fail(browserAt(postern, from), login, 1);
    expect(await at('2001:db8:1:2::1', 'nobody.a@example.com')).toEqual([422]);
    // As if that address had failed as often as one may.
    await postern.db.prisma.abuseCounter.updateMany({ data: { failures: 50 } });
    expect(await at('2001:db8:1:2:ffff:1:2:3', 'nobody.b@example.com')).toEqual([429]);
    expect(await at('2001:DB8:1:3::1', 'nobody.c@example.com')).toEqual([422]);
    await postern.db.prisma.abuseCounter.deleteMany();
  });
});

describe('S63 nobody learns who has an account', () => {
  const logins: Record<string, string> = {};
  let person: Person;

  beforeAll(async () => {
    person = await createPerson(postern);
    const disabled = await createPerson(postern);
    await postern.parts.users.disable(disabled.id, BY_TEST);
    const invited = 'invited.somebody@example.com';
    await postern.parts.users.invite({ email: invited, name: 'Invited' }, BY_TEST);
    Object.assign(logins, { unknown: 'nobody@example.com', known: person.email, disabled: disabled.email, invited });
  });

  /** What a stranger can see of an answer; what was typed and what is random taken out. */
  function seen(page: Page, login: string, password: string) {
    const uid = /\/interaction\/([\w-]+)/.exec(page.url)?.[1] ?? '';
    const nonce = /nonce-([\w-]+)/.exec(page.headers.get('content-security-policy') ?? '')?.[1] ?? '';
    const csrf = page.forms[0]?.fields._csrf ?? '';
    expect(page.html).not.toContain(password);
    return {
      status: page.status,
      path: page.url.replaceAll(uid, '…').replace(postern.url, ''),
      headers: [...page.headers.keys()].filter((name) => name !== 'date').sort(),
      text: withoutRequestId(page.text.replaceAll(login, '…')),
      html: withoutRequestId(page.html)
        .replaceAll(uid, '…')
        .replaceAll(nonce, '…')
        .replaceAll(csrf, '…')
        .replaceAll(login, '…'),
      length: page.html.length - login.length,
    };
  }

  test.each(['known', 'disabled', 'invited'])(
    'S63 %s and unknown: same status, message, length and work, and no mail',
    async (kind) => {
      const mails = () => postern.logged.filter((line) => 'subject' in line).length;
      const before = mails();
      const observed = [];
      for (const login of ['unknown', kind].map((name) => logins[name] ?? '')) {
        address = freshAddress();
        work.length = 0;
        const answer = seen(await tryPassword(browser(), login, 'a wrong password'), login, 'a wrong password');
        observed.push({ ...answer, argon2: work.length });
      }
      expect(observed[0]).toEqual(observed[1]);
      expect(observed[0]).toMatchObject({ status: 422, argon2: 1 });
      expect(mails()).toBe(before);
    },
  );

  test('S63 the right password of a disabled account is answered as a wrong one', async () => {
    const login = logins.disabled ?? '';
    const wrong = seen(await tryPassword(browser(), login, 'a wrong password'), login, 'a wrong password');
    const { password } = person;
    const right = password.replace(/\d+/, /\d+/.exec(login)?.[0] ?? '');
    const answer = seen(await tryPassword(browser(), login, right), login, right);
    expect(answer).toEqual(wrong);
    // It was the right one: the log, which nobody outside sees, says so.
    const [event] = await postern.parts.events.recent('user.factor_used', 1);
    expect(event).toMatchObject({ outcome: 'failure', reason: 'disabled' });
  });

  test('S63 an unknown login is throttled like a known one, and what it is told is the same', async () => {
    const observed = [];
    for (const login of ['nobody.else@example.com', (await createPerson(postern)).email]) {
      address = freshAddress();
      const agent = browser();
      expect(await fail(agent, login, 5)).toEqual([422, 422, 422, 422, 422]);
      const page = await tryPassword(agent, login, 'a wrong password');
      observed.push({ status: page.status, text: page.text.replace(/[\w-]{36}$|\d+ seconds?/g, '…') });
    }
    expect(observed[0]?.status).toBe(429);
    expect(observed[0]?.text.replace(/[0-9a-f-]{36}/g, '')).toBe(observed[1]?.text.replace(/[0-9a-f-]{36}/g, ''));
  });
});

test('S64 a new installation has no account and no secret that anybody could know', async () => {
  const fresh = await startPostern();
  try {
    expect(await fresh.db.prisma.user.count()).toBe(0);
    expect(await fresh.db.prisma.client.count()).toBe(0);
    expect(await fresh.db.prisma.serviceAccount.count()).toBe(0);
    expect(await fresh.db.prisma.clientSecret.count()).toBe(0);
    const agent = browserAt(fresh, freshAddress());
    const page = await agent.get('/admin');
    for (const name of ['admin', 'root', 'postern', 'admin@example.com']) {
      const answer = await agent.submit(page, 'password', { login: name, password: name });
      expect(answer.status).toBe(422);
    }
    const values = async (of: Postern) =>
      (await of.db.prisma.setting.findMany({ where: { valueEnc: { not: null } } })).map(({ valueEnc }) =>
        Buffer.from(valueEnc ?? []).toString('hex'),
      );
    const mine = await values(fresh);
    expect(mine.length).toBeGreaterThan(4);
    expect((await values(postern)).filter((value) => mine.includes(value))).toEqual([]);
  } finally {
    await fresh.close();
  }
});
