import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../../src/platform/db/embedded/server.ts';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf, csrfOf, isSignedIn } from '../support/console.ts';
import { authorizePath, codeRequest, getCode, introspect, redeem, refresh } from '../support/oauth.ts';
import { type Application, BY_TEST, createApplication, createPerson, type Person, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';

const HOUR = 3600;

/** Whether an application gets a code for this browser without anybody typing anything. */
async function isKnown(agent: Agent, application: Application): Promise<boolean> {
  const page = await agent.get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
  const answer = page.leaves?.searchParams;
  if (!answer?.has('code') && answer?.get('error') !== 'login_required') throw new Error(`unexpected: ${page.leaves}`);
  return answer.has('code');
}

async function signOut(agent: Agent): Promise<Page> {
  const confirm = await agent.submit(await agent.get('/account'), '/sign-out');
  expect(confirm.url).toContain('/oauth2/logout');
  const form = confirm.forms.find(({ action }) => action.includes('/logout/confirm'));
  if (!form) throw new Error(`no confirmation: ${confirm.text}`);
  return agent.post(form.action, { ...form.fields, logout: 'yes' });
}

describe('sessions', () => {
  let postern: Postern;
  let application: Application;

  beforeAll(async () => {
    postern = await startPostern();
    application = await createApplication(postern);
  });
  afterAll(() => postern.close());

  test('S74 signing in makes a new session; a cookie from before it is worth nothing', async () => {
    const person = await createPerson(postern);
    const agent = createAgent(postern.url);
    const page = await agent.get('/account');
    agent.cookies.push({ name: 'postern_session', value: 'planted-by-somebody', path: '/' });
    const before = agent.clone();
    await signIn(agent, page, person);
    expect(await isSignedIn(agent)).toBe(true);
    expect(agent.cookies.find(({ name }) => name === 'postern_session')?.value).not.toBe('planted-by-somebody');
    expect(await isSignedIn(before)).toBe(false);
    expect(await isKnown(before, application)).toBe(false);
  });

  test('S74 so does proving it again; what the browser held before is dead', async () => {
    const person = await createPerson(postern);
    const agent = await browserOf(postern, person);
    moveTime(301);
    const before = agent.clone();
    const asked = await agent.get('/account/factors/totp');
    expect(await isSignedIn(before)).toBe(true);
    await signIn(agent, asked, person);
    expect(await isSignedIn(agent)).toBe(true);
    expect(await isKnown(before, application)).toBe(false);
    expect(await isSignedIn(before)).toBe(false);
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(1);
  });

  test('S76 an hour without use ends it, use within the hour keeps it, and a day ends it in any case', async () => {
    const person = await createPerson(postern);
    const idle = await browserOf(postern, person);
    const busy = await browserOf(postern, person);
    const began = Date.now();
    moveTime(HOUR - 60);
    expect(await isSignedIn(busy)).toBe(true);
    moveTime(120);
    expect(await isSignedIn(idle)).toBe(false);
    expect(await isKnown(idle, application)).toBe(false);
    for (let hour = 2; Date.now() - began < (24 * HOUR - 3000) * 1000; hour++) {
      moveTime(HOUR - 600);
      expect([hour, await isSignedIn(busy)]).toEqual([hour, true]);
    }
    moveTime(3001);
    expect(await isSignedIn(busy)).toBe(false);
    expect(await isKnown(busy, application)).toBe(false);
  });

  test('S77 a cookie that was signed out opens nothing', async () => {
    const person = await createPerson(postern);
    const agent = await browserOf(postern, person);
    const before = agent.clone();
    expect(await isKnown(before, application)).toBe(true);
    const done = await signOut(agent);
    expect(done.status).toBe(200);
    for (const browser of [agent, before]) {
      expect(await isKnown(browser, application)).toBe(false);
      expect(await isSignedIn(browser)).toBe(false);
    }
    expect(await postern.db.prisma.session.count({ where: { userId: person.id } })).toBe(0);
    expect(await postern.db.prisma.consoleSession.count({ where: { userId: person.id } })).toBe(0);
  });

  test.each(['disabled', 'deleted'] as const)(
    'S78 of a person who is %s nothing works any more: pages, codes, tokens',
    async (how) => {
      const person = await createPerson(postern);
      const agent = await browserOf(postern, person);
      const scope = { scope: 'openid offline_access', prompt: 'consent' };
      const tokens = await redeem(postern.url, application, await codeOfSignedIn(agent, scope));
      const unused = await codeOfSignedIn(agent, scope);
      const { access_token = '', refresh_token = '' } = tokens.body;
      expect(await introspect(postern.url, application, refresh_token)).toMatchObject({ active: true });
      const pending = await atFactor(person);

      if (how === 'disabled') await postern.parts.users.disable(person.id, BY_TEST);
      else await postern.parts.users.delete(person.id, BY_TEST);

      expect(await isSignedIn(agent)).toBe(false);
      expect(await isKnown(agent, application)).toBe(false);
      expect((await redeem(postern.url, application, unused)).body.error).toBe('invalid_grant');
      expect((await refresh(postern.url, application, refresh_token)).body.error).toBe('invalid_grant');
      expect(await introspect(postern.url, application, refresh_token)).toEqual({ active: false });
      const userinfo = await fetch(`${postern.url}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${access_token}` },
      });
      expect(userinfo.status).toBe(401);
      // A sign-in that was at its second factor does not get further.
      const late = await pending.agent.submit(pending.page, 'code', { code: await person.code() });
      expect(late.leaves).toBeUndefined();
      expect(await isKnown(pending.agent, application)).toBe(false);
    },
  );

  test('S81 a stale sign-in changes no factor by a form that was open, and loses nothing', async () => {
    const person = await createPerson(postern);
    const agent = await browserOf(postern, person);
    const page = await agent.get('/account/factors/recovery-codes');
    moveTime(301);
    for (const [path, fields] of [
      ['/account/factors/recovery-codes', {}],
      ['/account/factors/totp', { enrollment: 'x', code: '000000' }],
    ] as const) {
      const answer = await agent.post(path, { _csrf: csrfOf(page), ...fields });
      expect([path, answer.status]).toEqual([path, 401]);
    }
    expect((await postern.parts.credentials.factorsOf(person.id)).recoveryLeft).toBe(0);
    expect(await isSignedIn(agent)).toBe(true);
  });

  test('S81 S15 the step-up is the same person’s: another can not answer it', async () => {
    const [person, other] = [await createPerson(postern), await createPerson(postern)];
    const agent = await browserOf(postern, person);
    moveTime(301);
    const asked = await agent.get('/account/factors/totp');
    const refused = await agent.submit(asked, 'password', { login: other.email, password: other.password });
    expect(refused.status).toBe(422);
    expect(await isSignedIn(agent, '/account/factors/totp')).toBe(false);
  });

  async function codeOfSignedIn(agent: Agent, extra: Record<string, string>) {
    return getCode(agent, application, undefined as never, extra);
  }

  async function atFactor(person: Person): Promise<{ agent: Agent; page: Page }> {
    const agent = createAgent(postern.url);
    const first = await agent.get('/account');
    return { agent, page: await agent.submit(first, 'password', { login: person.email, password: person.password }) };
  }
});

test('S76 both limits can be set', async () => {
  const env = { POSTERN_SESSION_IDLE_SECONDS: '600', POSTERN_SESSION_ABSOLUTE_SECONDS: '1500' };
  const postern = await startPostern({ env });
  try {
    const person = await createPerson(postern);
    const idle = await browserOf(postern, person);
    const busy = await browserOf(postern, person);
    for (const seconds of [500, 500]) {
      moveTime(seconds);
      expect(await isSignedIn(busy)).toBe(true);
    }
    expect(await isSignedIn(idle)).toBe(false);
    moveTime(501);
    expect(await isSignedIn(busy)).toBe(false);
  } finally {
    await postern.close();
  }
});

describe('S75 cookies', () => {
  /** Every Set-Cookie line of a whole sign-in and sign-out at this issuer. */
  async function cookiesOf(issuer: string | undefined): Promise<string[]> {
    const port = await freePort();
    const env = { PORT: String(port), POSTERN_HOST: '127.0.0.1', POSTERN_TRUSTED_PROXIES: '127.0.0.1' };
    const postern = await startPostern({ env: { ...env, ...(issuer && { POSTERN_ISSUER: issuer }) } });
    const lines: string[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = async (...input) => {
      const response = await real(...input);
      lines.push(...response.headers.getSetCookie());
      return response;
    };
    try {
      const person = await createPerson(postern);
      const { host, protocol } = new URL(postern.url);
      const through = { 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) };
      const agent = createAgent(`http://localhost:${port}`, [], through);
      // As a browser would: the issuer's address leads through the proxy to the same server.
      const follow = async (page: Page): Promise<Page> =>
        page.leaves ? follow(await agent.get(page.leaves.pathname + page.leaves.search)) : page;
      const first = await follow(await agent.get('/account'));
      const account = await follow(await signIn(agent, first, person));
      expect(new URL(account.url).pathname).toBe('/account');
      const codes = await agent.submit(await agent.get('/account/factors/recovery-codes'), '/recovery-codes');
      expect(codes.status).toBe(200);
      const confirm = await follow(await agent.submit(await agent.get('/account/sessions'), '/sign-out'));
      const form = confirm.forms.find(({ action }) => action.includes('/logout/confirm'));
      await agent.post(new URL(form?.action ?? '').pathname, { ...form?.fields, logout: 'yes' });
    } finally {
      globalThis.fetch = real;
      await postern.close();
    }
    return lines;
  }

  test('S75 over https every cookie is Secure, HttpOnly, SameSite and bound to the host', async () => {
    const lines = await cookiesOf('https://id.example.com');
    const names = new Set(
      lines.map((line) =>
        line
          .split('=')[0]
          ?.replace(/\.sig$/, '')
          .replace(/return_.*/, 'return'),
      ),
    );
    expect([...names].sort()).toEqual([
      '__Host-postern-csrf',
      '__Host-postern-device',
      '__Host-postern_console',
      '__Host-postern_return',
      '__Host-postern_session',
      '__Secure-postern_flow',
      '__Secure-postern_resume',
    ]);
    for (const line of lines) {
      expect(line).toMatch(/; ?secure(;|$)/i);
      expect(line).toMatch(/; ?httponly(;|$)/i);
      expect(line).toMatch(/; ?samesite=(lax|strict)(;|$)/i);
      expect(line).not.toMatch(/; ?domain=/i);
      if (line.startsWith('__Host-')) expect(line).toMatch(/; ?path=\/(;|$)/i);
    }
  });

  test('S75 over http they are HttpOnly and SameSite', async () => {
    const lines = await cookiesOf(undefined);
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) {
      expect(line).toMatch(/; ?httponly(;|$)/i);
      expect(line).toMatch(/; ?samesite=(lax|strict)(;|$)/i);
      expect(line).not.toMatch(/; ?domain=/i);
    }
  });
});
