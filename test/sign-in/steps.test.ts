import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserAt, csrfOf, freshAddress } from '../support/console.ts';
import { authorizePath, codeRequest } from '../support/oauth.ts';
import { type Application, BY_TEST, createApplication, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { allRoutes, fill, type KnownRoute } from '../support/routes.ts';

let postern: Postern;
let application: Application;
let address: string;

beforeAll(async () => {
  postern = await startPostern({ env: { POSTERN_TRUSTED_PROXIES: '127.0.0.1' } });
  application = await createApplication(postern);
});
afterAll(() => postern.close());
beforeEach(() => {
  address = freshAddress();
});

const browser = () => browserAt(postern, address);

/** The first page of signing in to the application. */
async function begin(agent: Agent): Promise<{ page: Page; uid: string }> {
  const page = await agent.get(authorizePath(codeRequest(application).params));
  const uid = /\/interaction\/([\w-]+)$/.exec(page.url)?.[1];
  if (!uid) throw new Error(`not at a sign-in but at ${page.url}`);
  return { page, uid };
}

/** Where the sign-in stands: the last part of the address that it shows. */
async function standing(agent: Agent, uid: string): Promise<string> {
  const page = await agent.get(`/interaction/${uid}`);
  expect(page.status).toBe(200);
  const shown = new URL(page.url).pathname.replace(`/interaction/${uid}`, '');
  return shown === '' && page.forms.some(({ inputs }) => inputs.includes('password')) ? '/password' : shown;
}

/** Posts to a page of the sign-in as its form would, whatever page is shown. */
async function push(agent: Agent, uid: string, step: string, values: Record<string, string> = {}): Promise<Page> {
  const _csrf = csrfOf(await agent.get(`/interaction/${uid}`));
  return agent.post(`/interaction/${uid}/${step}`, { _csrf, ...values });
}

const sessionsOf = (person: Person) => postern.db.prisma.session.count({ where: { userId: person.id } });

describe('S65 with the password alone', () => {
  let person: Person;
  let agent: Agent;
  let uid: string;
  let routes: KnownRoute[];
  let csrf: string;

  beforeAll(async () => {
    routes = await allRoutes(postern);
    person = await createPerson(postern, { roles: ['admin'] });
    agent = browser();
    const first = await begin(agent);
    uid = first.uid;
    const factor = await agent.submit(first.page, 'password', { login: person.email, password: person.password });
    expect(factor.url).toBe(`${postern.url}/interaction/${uid}/factor`);
    csrf = csrfOf(factor);
  });

  const params = () => ({
    id: person.id,
    uid,
    jti: 'x',
    clientId: application.clientId,
    secretId: person.id,
    permissionId: person.id,
    session: 'x',
    name: 'admin',
    preset: 'custom',
    trustId: person.id,
    tokenId: person.id,
    kid: 'x',
    memberId: person.id,
    userId: person.id,
  });

  test('S65 every page of account and administration asks for the whole sign-in', async () => {
    const behind = routes.filter(({ path }) => path === '/' || /^\/(account|admin)\b/.test(path));
    expect(behind.length).toBeGreaterThan(50);
    const wrong: string[] = [];
    for (const { method, path } of behind) {
      const target = fill(path, params());
      const page = method === 'GET' ? await agent.get(target) : await agent.post(target, { _csrf: csrf });
      const asks = page.status === 200 && page.forms.some(({ inputs }) => inputs.includes('password'));
      if (method === 'GET' ? !asks : page.status !== 401) wrong.push(`${method} ${path}: ${page.status} ${page.url}`);
    }
    expect(wrong).toEqual([]);
    expect(await sessionsOf(person)).toBe(0);
  });

  test('S65 the other pages give nothing either', async () => {
    const expected: Record<string, [status: number, at: RegExp]> = {
      'GET /console/sign-in': [200, /\/interaction\/[\w-]+$/],
      'GET /console/callback': [400, /callback$/],
      'POST /sign-out': [200, /\/oauth2\/logout/],
      'GET /setup': [404, /setup$/],
      'POST /setup': [404, /setup$/],
      'GET /invite': [404, /invite$/],
      'POST /invite': [404, /invite$/],
      'POST /leaked-secrets': [422, /leaked-secrets$/],
    };
    const rest = routes
      .filter(({ path }) => !/^\/(account|admin|interaction)\b|^\/$/.test(path))
      .map(({ method, path }) => `${method} ${path}`);
    expect(rest.sort()).toEqual(Object.keys(expected).sort());
    for (const [name, [status, at]] of Object.entries(expected)) {
      const [method = '', path = ''] = name.split(' ');
      const page = method === 'GET' ? await agent.get(path) : await agent.post(path, { _csrf: csrf });
      expect([name, page.status]).toEqual([name, status]);
      expect(page.url).toMatch(at);
    }
  });

  test('S65 S70 of the sign-in itself only the pages of the second factor answer', async () => {
    const own = routes.filter(({ path }) => path.startsWith('/interaction/:uid'));
    const after: Record<string, string> = {};
    for (const { method, path } of own) {
      const step = path.replace('/interaction/:uid', '');
      // These two go back, which is allowed; they are tried below.
      if (method === 'POST' && ['/password', '/abort'].includes(step)) continue;
      const values: Record<string, string> = /factor|recovery$|enroll/.test(step) ? { code: '000000' } : {};
      const target = fill(path, params());
      const page = method === 'GET' ? await agent.get(target) : await agent.post(target, { _csrf: csrf, ...values });
      after[`${method} ${step}`] = `${page.status} ${new URL(page.url).pathname.replace(`/interaction/${uid}`, '')}`;
    }
    expect(after).toEqual({
      'GET ': '200 /factor',
      'POST /ticket': '200 /factor',
      'GET /factor': '200 /factor',
      'POST /factor': '422 /factor',
      'GET /recovery': '200 /recovery',
      'POST /recovery': '422 /recovery',
      'GET /enroll': '200 /factor',
      'POST /enroll': '200 /factor',
      'GET /recovery-codes': '200 /factor',
      'POST /recovery-codes/renew': '200 /factor',
      'POST /recovery-codes': '200 /factor',
      'GET /consent': '200 /factor',
      'POST /consent': '200 /factor',
    });
    expect(await sessionsOf(person)).toBe(0);
    expect(await postern.parts.credentials.factorsOf(person.id)).toMatchObject({ recoveryLeft: 0 });
  });

  test('S65 the protocol takes it for nobody: no code, no resuming', async () => {
    const silent = await agent.get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
    expect(silent.leaves?.searchParams.get('error')).toBe('login_required');
    const impatient = browser();
    const other = await begin(impatient);
    await impatient.submit(other.page, 'password', { login: person.email, password: person.password });
    const resumed = await impatient.get(`/oauth2/authorize/${other.uid}`);
    expect(resumed.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
    expect(await sessionsOf(person)).toBe(0);
  });

  test('S65 the second factor then completes the same sign-in', async () => {
    const done = await push(agent, uid, 'factor', { code: await person.code() });
    expect(done.leaves?.searchParams.get('code')).toBeTruthy();
    expect(await sessionsOf(person)).toBe(1);
  });
});

describe('S70 no step is skipped or taken in another order', () => {
  test('S70 before the password nothing but the password counts', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const { uid } = await begin(agent);
    const code = await person.code();
    for (const step of [
      'factor',
      'recovery',
      'enroll',
      'recovery-codes',
      'recovery-codes/renew',
      'consent',
      'ticket',
    ]) {
      await push(agent, uid, step, /factor|recovery$|enroll/.test(step) ? { code } : {});
      expect([step, await standing(agent, uid)]).toEqual([step, '/password']);
    }
    for (const page of ['factor', 'recovery', 'enroll', 'recovery-codes', 'consent']) {
      await agent.get(`/interaction/${uid}/${page}`);
      expect([page, await standing(agent, uid)]).toEqual([page, '/password']);
    }
    // The code was not used up by that: it was never looked at.
    expect(
      (await signIn(agent, await agent.get(`/interaction/${uid}`), { ...person, code: async () => code })).leaves,
    ).toBeDefined();
  });

  test('S70 somebody without a factor has to enrol one, and to keep the recovery codes', async () => {
    const email = 'without.factor@example.com';
    const password = 'seven green elephants';
    const { id } = await postern.parts.users.createWithPassword({ email, name: 'Without' }, password, BY_TEST);
    const agent = browser();
    const { page, uid } = await begin(agent);
    await agent.submit(page, 'password', { login: email, password });
    for (const [step, values] of [
      ['factor', { code: '123456' }],
      ['recovery', { code: 'AAAA-AAAA-AAAA-AAAA' }],
      ['recovery-codes', {}],
      ['recovery-codes/renew', {}],
      ['consent', {}],
      ['enroll', { code: '000000' }],
    ] as const) {
      await push(agent, uid, step, values);
      expect([step, await standing(agent, uid)]).toEqual([step, '/enroll']);
    }
    expect(await postern.db.prisma.session.count({ where: { userId: id } })).toBe(0);
  });

  test('S70 a recovery code leads to a new authenticator, and not past it', async () => {
    const person = await createPerson(postern);
    const [code = ''] = await postern.db.tx((tx) => postern.parts.credentials.recovery.create(tx, person.id));
    const agent = browser();
    const { page, uid } = await begin(agent);
    await agent.submit(page, 'password', { login: person.email, password: person.password });
    await push(agent, uid, 'recovery', { code });
    for (const [step, values] of [
      ['factor', { code: await person.code() }],
      ['recovery', { code }],
      ['recovery-codes', {}],
      ['consent', {}],
    ] as const) {
      await push(agent, uid, step, values);
      expect([step, await standing(agent, uid)]).toEqual([step, '/enroll']);
    }
    expect(await sessionsOf(person)).toBe(0);
  });

  test('S70 a sign-in belongs to the browser that began it', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const { page, uid } = await begin(agent);
    await agent.submit(page, 'password', { login: person.email, password: person.password });
    const stranger = browser();
    const theirs = await begin(stranger);
    const _csrf = csrfOf(theirs.page);
    for (const step of ['', '/factor', '/recovery', '/consent']) {
      expect((await stranger.get(`/interaction/${uid}${step}`)).status).toBe(410);
    }
    const answer = await stranger.post(`/interaction/${uid}/factor`, { _csrf, code: await person.code() });
    expect(answer.status).toBe(410);
    expect(await sessionsOf(person)).toBe(0);
  });

  test('S70 a sign-in that was completed can not be continued', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const { page, uid } = await begin(agent);
    const before = agent.clone();
    await signIn(agent, page, person);
    for (const window of [agent, before]) {
      for (const step of ['', '/factor', '/consent']) {
        expect((await window.get(`/interaction/${uid}${step}`)).status).toBe(410);
      }
      const csrf = csrfOf(page);
      expect((await window.post(`/interaction/${uid}/consent`, { _csrf: csrf })).status).toBe(410);
    }
  });

  test('S70 the account that is signed in already can not be changed on the way', async () => {
    const [one, other] = [await createPerson(postern), await createPerson(postern)];
    const agent = browser();
    await signIn(agent, (await begin(agent)).page, one);
    const again = await agent.get(authorizePath(codeRequest(application, { prompt: 'login' }).params));
    expect(again.html).toMatch(new RegExp(`id="login"[^>]*value="${one.email}"[^>]*readonly`));
    const refused = await agent.submit(again, 'password', { login: other.email, password: other.password });
    expect(refused.status).toBe(422);
    expect((await agent.get(refused.url.replace(/\/password$/, ''))).text).not.toContain(other.email);
  });
});

describe('S67 the second factor', () => {
  test('S67 wrong codes close the factor and not the password, until they are waited out', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const { page } = await begin(agent);
    const factor = await agent.submit(page, 'password', { login: person.email, password: person.password });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await agent.submit(factor, 'code', { code: `00000${i}` })).status);
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429]);
    expect((await agent.submit(factor, 'code', { code: await person.code() })).status).toBe(429);

    address = freshAddress();
    const other = browser();
    const again = await other.submit((await begin(other)).page, 'password', {
      login: person.email,
      password: person.password,
    });
    expect(again.url).toMatch(/\/factor$/);
  });

  test('S67 wrong passwords do not close the factor of a sign-in under way', async () => {
    const person = await createPerson(postern);
    const agent = browser();
    const { page } = await begin(agent);
    const factor = await agent.submit(page, 'password', { login: person.email, password: person.password });
    const stranger = browserAt(postern, freshAddress());
    const first = await stranger.get('/account');
    for (let i = 0; i < 6; i++) {
      await stranger.submit(first, 'password', { login: person.email, password: `wrong ${i}` });
    }
    expect((await agent.submit(factor, 'code', { code: await person.code() })).leaves).toBeDefined();
  });
});

test('S23 S70 a request that went on before anything was proven begins anew, and its first interaction has ended', async () => {
  const [agent, other] = [browser(), browser()];
  const { uid } = await begin(agent);
  other.cookies.push(...agent.cookies.map((cookie) => ({ ...cookie })));
  const page = await agent.get(`/oauth2/authorize/${uid}`);
  expect(page.forms.some(({ inputs }) => inputs.includes('password'))).toBe(true);
  expect(page.url).not.toContain(uid);
  expect((await other.get(`/interaction/${uid}`)).status).toBe(410);
});

test('S70 a page of a sign-in that is no more says so and helps', async () => {
  const page = await createAgent(postern.url).get('/interaction/AAAAAAAAAAAAAAAAAAAAA');
  expect(page.status).toBe(410);
  expect(page.text).toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7/);
});
