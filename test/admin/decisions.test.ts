import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { METHODS } from '../../src/oidc/settings.ts';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { browserOf, csrfOf } from '../support/console.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { allRoutes, fill, type KnownRoute } from '../support/routes.ts';

/**
 * Who may ask for what: `anybody`, a signed-in `person`, an `admin`, or the browser of one `interaction`. A route that is
 * not named here fails the test: decide who may ask for it, and write it down.
 */
const DECISIONS: Record<'anybody' | 'person' | 'admin' | 'interaction', string[]> = {
  anybody: [
    'GET /console/sign-in',
    'GET /console/callback',
    'GET /setup',
    'POST /setup',
    'GET /invite',
    'POST /invite',
    'POST /sign-out',
    'POST /leaked-secrets',
  ],
  person: [
    'GET /',
    'GET /account',
    'GET /account/password',
    'POST /account/password',
    'GET /account/factors',
    'GET /account/factors/totp',
    'POST /account/factors/totp',
    'GET /account/factors/recovery-codes',
    'POST /account/factors/recovery-codes',
    'GET /account/sessions',
    'POST /account/sessions/end-others',
    'POST /account/sessions/:uid/end',
    'GET /account/applications',
    'POST /account/applications/withdraw',
    'GET /account/approvals',
    'GET /account/approvals/:id',
    'POST /account/approvals/:id/allow',
    'POST /account/approvals/:id/deny',
  ],
  admin: [
    'GET /admin',
    'GET /admin/users',
    'GET /admin/users/new',
    'POST /admin/users/new',
    'GET /admin/users/:id',
    'POST /admin/users/:id/invite',
    'POST /admin/users/:id/disable',
    'POST /admin/users/:id/enable',
    'POST /admin/users/:id/unlock',
    'POST /admin/users/:id/end-sessions',
    'POST /admin/users/:id/reset-factors',
    'POST /admin/users/:id/roles',
    'POST /admin/users/:id/roles/remove',
    'POST /admin/users/:id/sessions/:session/end',
    'GET /admin/service-accounts',
    'GET /admin/service-accounts/new',
    'POST /admin/service-accounts/new',
    'GET /admin/service-accounts/:id',
    'GET /admin/service-accounts/:id/edit',
    'POST /admin/service-accounts/:id/edit',
    'GET /admin/service-accounts/:id/permissions',
    'POST /admin/service-accounts/:id/permissions',
    'GET /admin/service-accounts/:id/exchange',
    'POST /admin/service-accounts/:id/exchange',
    'GET /admin/service-accounts/:id/keys',
    'POST /admin/service-accounts/:id/keys',
    'POST /admin/service-accounts/:id/keys/read',
    'GET /admin/service-accounts/:id/certificate',
    'POST /admin/service-accounts/:id/certificate',
    'POST /admin/service-accounts/:id/use-secret',
    'GET /admin/service-accounts/:id/protocol',
    'POST /admin/service-accounts/:id/protocol',
    'POST /admin/service-accounts/:id/secrets',
    'POST /admin/service-accounts/:id/secrets/:secretId/revoke',
    'POST /admin/service-accounts/:id/roles',
    'POST /admin/service-accounts/:id/roles/remove',
    'POST /admin/service-accounts/:id/disable',
    'POST /admin/service-accounts/:id/enable',
    'POST /admin/service-accounts/:id/delete',
    'GET /admin/registration',
    'GET /admin/registration/new',
    'POST /admin/registration/new',
    'GET /admin/registration/:tokenId',
    'POST /admin/registration/:tokenId/revoke',
    'GET /admin/service-accounts/:id/trusts/new',
    'GET /admin/service-accounts/:id/trusts/new/:preset',
    'POST /admin/service-accounts/:id/trusts/new/:preset',
    'GET /admin/service-accounts/:id/trusts/:trustId',
    'GET /admin/service-accounts/:id/trusts/:trustId/edit',
    'POST /admin/service-accounts/:id/trusts/:trustId/edit',
    'POST /admin/service-accounts/:id/trusts/:trustId/disable',
    'POST /admin/service-accounts/:id/trusts/:trustId/enable',
    'POST /admin/service-accounts/:id/trusts/:trustId/delete',
    'GET /admin/applications',
    'GET /admin/applications/new',
    'POST /admin/applications/new',
    'GET /admin/applications/:clientId',
    'GET /admin/applications/:clientId/edit',
    'POST /admin/applications/:clientId/edit',
    'GET /admin/applications/:clientId/protocol',
    'POST /admin/applications/:clientId/protocol',
    'GET /admin/applications/:clientId/keys',
    'POST /admin/applications/:clientId/keys',
    'POST /admin/applications/:clientId/keys/remove',
    'POST /admin/applications/:clientId/use-secret',
    'POST /admin/applications/:clientId/secrets',
    'POST /admin/applications/:clientId/secrets/:secretId/revoke',
    'POST /admin/applications/:clientId/disable',
    'POST /admin/applications/:clientId/enable',
    'POST /admin/applications/:clientId/delete',
    'GET /admin/apis',
    'GET /admin/apis/new',
    'POST /admin/apis/new',
    'GET /admin/apis/:id',
    'GET /admin/apis/:id/edit',
    'POST /admin/apis/:id/edit',
    'POST /admin/apis/:id/permissions',
    'POST /admin/apis/:id/permissions/:permissionId/remove',
    'GET /admin/apis/:id/detail-types/new',
    'POST /admin/apis/:id/detail-types/new',
    'GET /admin/apis/:id/detail-types/edit',
    'POST /admin/apis/:id/detail-types/edit',
    'POST /admin/apis/:id/detail-types/remove',
    'GET /admin/roles',
    'GET /admin/roles/new',
    'POST /admin/roles/new',
    'GET /admin/roles/:name',
    'GET /admin/roles/:name/edit',
    'POST /admin/roles/:name/edit',
    'POST /admin/roles/:name/holders',
    'POST /admin/roles/:name/holders/remove',
    'POST /admin/roles/:name/delete',
    'GET /admin/teams',
    'GET /admin/teams/new',
    'POST /admin/teams/new',
    'GET /admin/teams/:id',
    'GET /admin/teams/:id/edit',
    'POST /admin/teams/:id/edit',
    'POST /admin/teams/:id/members',
    'POST /admin/teams/:id/members/:memberId/remove',
    'POST /admin/teams/:id/managers',
    'POST /admin/teams/:id/managers/:userId/remove',
    'POST /admin/teams/:id/roles',
    'POST /admin/teams/:id/roles/remove',
    'POST /admin/teams/:id/delete',
    'GET /admin/tokens',
    'GET /admin/tokens/revoke-all',
    'POST /admin/tokens/revoke-all',
    'GET /admin/tokens/:jti',
    'POST /admin/tokens/:jti/revoke',
    'GET /admin/signing-keys',
    'POST /admin/signing-keys/rotate',
    'GET /admin/signing-keys/:kid/leaked',
    'POST /admin/signing-keys/:kid/leaked',
    'GET /admin/audit',
    'GET /admin/audit/:id',
    'POST /admin/audit/export',
  ],
  interaction: [
    'GET /interaction/:uid',
    'POST /interaction/:uid/ticket',
    'POST /interaction/:uid/password',
    'GET /interaction/:uid/factor',
    'POST /interaction/:uid/factor',
    'GET /interaction/:uid/recovery',
    'POST /interaction/:uid/recovery',
    'GET /interaction/:uid/enroll',
    'POST /interaction/:uid/enroll',
    'GET /interaction/:uid/recovery-codes',
    'POST /interaction/:uid/recovery-codes',
    'POST /interaction/:uid/recovery-codes/renew',
    'POST /interaction/:uid/abort',
    'GET /interaction/:uid/consent',
    'POST /interaction/:uid/consent',
  ],
};

type Role = 'nobody' | 'person' | 'holder of another role' | 'admin';

let postern: Postern;
let routes: KnownRoute[];
let target: Person;
let application: Application;
let real: Record<string, string>;
const browsers = new Map<Role, Agent>();
const tokens = new Map<Role, string>();

beforeAll(async () => {
  postern = await startPostern();
  routes = await allRoutes(postern);
  const audience = await createApi(postern, ['orders.read']);
  application = await createApplication(postern, { permissions: [`${audience}#orders.read`] });
  target = await createPerson(postern);
  const service = await createService(postern, [`${audience}#orders.read`]);
  const [plain, holder, admin] = [
    await createPerson(postern),
    await createPerson(postern),
    await createPerson(postern, { roles: ['admin'] }),
  ];
  const role = await grantRole(postern, holder, [`${audience}#orders.read`]);
  browsers.set('nobody', createAgent(postern.url));
  browsers.set('person', await browserOf(postern, plain));
  browsers.set('holder of another role', await browserOf(postern, holder));
  browsers.set('admin', await browserOf(postern, admin, '/admin'));
  for (const [name, agent] of browsers) {
    tokens.set(name, csrfOf(await agent.get(name === 'nobody' ? '/console/sign-in' : '/account/password')));
  }
  const { prisma } = postern.db;
  const api = await prisma.api.findFirstOrThrow({ where: { audience }, include: { permissions: true } });
  const team = await postern.parts.teams.create({ name: 'ship-builders' }, BY_TEST);
  await postern.parts.teams.members.add(team.id, target.email, BY_TEST);
  await postern.parts.teams.members.addManager(team.id, target.email, BY_TEST);
  const trusted = { preset: 'custom', name: 'ci', issuer: 'https://ci.example.com', subject: 'ci' } as const;
  const trust = await postern.parts.workloadTrusts.create(service.id, trusted, BY_TEST);
  const initial = await postern.parts.registration.tokens.create({ name: 'partners', policy: {} }, BY_TEST);
  const member = await prisma.teamMember.findFirstOrThrow();
  const secret = await prisma.clientSecret.findFirstOrThrow({ where: { clientId: application.clientId } });
  real = {
    '/admin/users': target.id,
    '/admin/service-accounts': service.id,
    '/admin/apis': api.id,
    '/admin/teams': team.id,
    '/account/approvals': randomUUID(),
    memberId: member.id,
    trustId: trust.id,
    tokenId: initial.id,
    preset: 'custom',
    userId: target.id,
    '/admin/audit': (await prisma.auditEvent.findFirstOrThrow()).id,
    clientId: application.clientId,
    secretId: secret.id,
    permissionId: api.permissions[0]?.id ?? '',
    session: (await prisma.session.findFirstOrThrow()).uid,
    jti: randomUUID(),
    kid: (await prisma.signingKey.findFirstOrThrow({ where: { status: 'next' } })).kid,
    name: role,
    uid: 'AAAAAAAAAAAAAAAAAAAAA',
  };
});
afterAll(() => postern.close());

/** The route's address with ids of things that are there. */
function existing(path: string): string {
  const id =
    Object.entries(real).find(([prefix]) => prefix.startsWith('/') && path.startsWith(`${prefix}/`))?.[1] ?? '';
  return fill(path, { ...real, id });
}

function absent(path: string): string {
  const id = randomUUID();
  const params = {
    id,
    secretId: id,
    memberId: id,
    trustId: id,
    tokenId: id,
    preset: 'custom',
    userId: id,
    permissionId: id,
    clientId: id,
    session: id,
    uid: id,
    jti: id,
    kid: id,
    name: 'no-such-role',
  };
  return fill(path, params);
}

async function ask(role: Role, method: string, path: string, fields: Record<string, string> = {}): Promise<Page> {
  const agent = browsers.get(role) as Agent;
  return method === 'GET' ? agent.get(path) : agent.post(path, { _csrf: tokens.get(role) ?? '', ...fields });
}

/** What was decided, by what is seen. */
function decided(method: string, page: Page): string {
  if (page.status === 403) return 'refused';
  const asksToSignIn = page.forms.some(({ inputs }) => inputs.includes('password') && inputs.includes('login'));
  if (method === 'GET' && asksToSignIn) return 'has to sign in';
  return method !== 'GET' && page.status === 401 ? 'has to sign in' : 'admitted';
}

const nameOf = ({ method, path }: KnownRoute) => `${method} ${path}`;
const inTable = (kind: keyof typeof DECISIONS) => routes.filter((route) => DECISIONS[kind].includes(nameOf(route)));

describe('S82 who may ask for what', () => {
  test('S82 a decision stands in the table for every route, and for nothing else', () => {
    expect(Object.values(DECISIONS).flat().sort()).toEqual(routes.map(nameOf).sort());
  });

  const expectations: [Role, 'person' | 'admin', string][] = [
    ['nobody', 'person', 'has to sign in'],
    ['nobody', 'admin', 'has to sign in'],
    ['person', 'admin', 'refused'],
    ['holder of another role', 'admin', 'refused'],
    // Asked with ids that are not there, so that nothing is changed by being let in.
    ['person', 'person', 'admitted'],
    ['admin', 'person', 'admitted'],
    ['admin', 'admin', 'admitted'],
  ];

  test.each(expectations)('S82 %s, at pages of a %s: %s', async (role, kind, expected) => {
    const wrong: string[] = [];
    const asked = inTable(kind);
    expect(asked.length).toBeGreaterThan(10);
    for (const route of asked) {
      const { method, path } = route;
      // These end what the browser itself stands on; what they do is tested where they belong.
      if (expected === 'admitted' && /end-others|factors\/recovery-codes/.test(path) && method === 'POST') continue;
      const page = await ask(role, method, expected === 'admitted' ? absent(path) : existing(path));
      if (decided(method, page) !== expected) wrong.push(`${nameOf(route)}: ${page.status} ${page.url}`);
      if (expected === 'admitted' && page.status >= 500) wrong.push(`${nameOf(route)}: ${page.status}`);
    }
    expect(wrong).toEqual([]);
  });

  test('S82 S90 each refusal of a person is in the audit log, and changed nothing', async () => {
    const { prisma } = postern.db;
    const person = browsers.get('person') as Agent;
    const count = () => prisma.auditEvent.count({ where: { action: 'access.denied', outcome: 'denied' } });
    const before = await count();
    const others = await prisma.auditEvent.count({ where: { action: { not: 'access.denied' } } });
    await person.get('/admin/users');
    await ask('person', 'POST', `/admin/users/${target.id}/disable`);
    expect(await count()).toBe(before + 2);
    expect(await prisma.auditEvent.count({ where: { action: { not: 'access.denied' } } })).toBe(others);
    const last = await prisma.auditEvent.findFirstOrThrow({
      where: { action: 'access.denied' },
      orderBy: { id: 'desc' },
    });
    expect(last).toMatchObject({
      targetId: `/admin/users/${target.id}/disable`,
      actorType: 'user',
      address: '127.0.0.1',
    });
    expect((await postern.parts.accounts.byId(target.id))?.status).toBe('active');
  });

  test('S82 a page of a sign-in is for the browser that began it, not even for an admin', async () => {
    for (const role of ['nobody', 'person', 'admin'] as const) {
      for (const { method, path } of inTable('interaction')) {
        const fields = path.endsWith('/password') ? { login: 'a@example.com', password: 'some password' } : {};
        const code = /factor|recovery$|enroll/.test(path) ? { code: '123456' } : {};
        const page = await ask(role, method, existing(path), { ...fields, ...code });
        expect([nameOf({ method, path }), page.status]).toEqual([nameOf({ method, path }), 410]);
      }
    }
  });
});

describe('S83 what is somebody else’s', () => {
  const plain = (page: Page) => ({ status: page.status, text: page.text.replace(/[0-9a-f-]{36}/g, '…') });

  test('S83 is the same 404 as what is not there: sessions and consents', async () => {
    const own = await postern.db.prisma.session.findFirstOrThrow({ where: { userId: { not: null } } });
    const other = (await postern.db.prisma.session.findMany()).find(({ userId }) => userId !== own.userId)?.uid;
    expect(other).toBeDefined();
    const theirs = await ask('person', 'POST', `/account/sessions/${other}/end`);
    const none = await ask('person', 'POST', '/account/sessions/AAAAAAAAAAAAAAAAAAAAA/end');
    expect(plain(theirs)).toEqual(plain(none));
    expect(none.status).toBe(404);
    const consent = await ask('person', 'POST', '/account/applications/withdraw', { client: application.clientId });
    const noConsent = await ask('person', 'POST', '/account/applications/withdraw', { client: 'no-such-client' });
    expect(plain(consent)).toEqual(plain(noConsent));
    expect(consent.status).toBe(404);
  });

  test('S83 ids that are no ids are as absent as others, on every page with one', async () => {
    const wrong: string[] = [];
    for (const route of inTable('admin').filter(({ path }) => path.includes(':'))) {
      const answers: number[] = [];
      for (const id of [randomUUID(), "x'--", 'null', '%00', '..%2f..', 'A'.repeat(500)]) {
        answers.push((await ask('admin', route.method, route.path.replace(/:\w+/g, id))).status);
      }
      if (answers.some((status) => ![404, 422, 400].includes(status))) wrong.push(`${nameOf(route)}: ${answers}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('S84 input that no form sends', () => {
  /** Everything that a test could have changed, as text. */
  async function state(): Promise<string> {
    const { prisma } = postern.db;
    return JSON.stringify([
      await prisma.user.findMany({ orderBy: { id: 'asc' } }),
      await prisma.assignment.count(),
      await prisma.client.findMany({ orderBy: { clientId: 'asc' } }),
      await prisma.clientSecret.count(),
      await prisma.api.findMany({ orderBy: { id: 'asc' } }),
      await prisma.role.findMany({ orderBy: { id: 'asc' } }),
      await prisma.serviceAccount.findMany({ orderBy: { id: 'asc' } }),
      await prisma.team.findMany({ orderBy: { id: 'asc' } }),
      await prisma.teamMember.count(),
      await prisma.teamManager.count(),
      await prisma.password.count(),
    ]);
  }

  test.each([
    ['isAdmin', 'true'],
    ['password', 'chosen by an admin'],
    ['id', '00000000-0000-7000-8000-000000000000'],
    ['name[not]', ''],
    ['login[$ne]', ''],
    ['__proto__', 'x'],
    ['constructor', 'x'],
  ])(
    'S84 S71 a field %s is refused by every form that does not have it, and nothing is changed',
    async (name, value) => {
      const has = new Set(['POST /account/password', 'POST /setup', 'POST /invite', 'POST /interaction/:uid/password']);
      const before = await state();
      const wrong: string[] = [];
      for (const route of routes.filter(({ method, path }) => method === 'POST' && path !== '/sign-out')) {
        if (name === 'password' && has.has(nameOf(route))) continue;
        // Its form names one of two kinds of holders: it is whole but for the other field, and is no form of either kind.
        const either = route.path.endsWith('/holders/remove');
        const whole = either ? { userId: target.id } : {};
        const page = await ask('admin', 'POST', existing(route.path), { ...whole, [name]: value });
        if (page.status !== 400 || page.hops.length > 0) wrong.push(`${nameOf(route)}: ${page.status} ${page.url}`);
      }
      expect(wrong).toEqual([]);
      expect(await state()).toBe(before);
    },
  );

  test('S84 objects do not come in as JSON either', async () => {
    const agent = browsers.get('admin') as Agent;
    const wrong: string[] = [];
    for (const route of routes.filter(({ method }) => method === 'POST')) {
      const response = await fetch(`${postern.url}${existing(route.path)}`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          cookie: agent.cookies.map((cookie) => `${cookie.name}=${cookie.value}`).join('; '),
        },
        body: JSON.stringify({ _csrf: tokens.get('admin'), login: { not: '' }, password: { not: '' } }),
      });
      // Programs send their reports here: JSON is read, and refused for its fields.
      const expected = route.path === '/leaked-secrets' ? 400 : 415;
      if (response.status !== expected) wrong.push(`${nameOf(route)}: ${response.status}`);
    }
    expect(wrong).toEqual([]);
  });

  test('S84 nor as filters of lists: they are no filter', async () => {
    for (const path of ['/admin/users', '/admin/tokens', '/admin/audit', '/admin/apis', '/admin/applications']) {
      const plain = await ask('admin', 'GET', path);
      for (const query of ['q[not]=x', 'status[not]=active', 'after[gt]=', 'action[contains]=user', 'q[]=x&q[]=y']) {
        const page = await ask('admin', 'GET', `${path}?${query}`);
        expect([path, query, page.status < 500]).toEqual([path, query, true]);
        if (page.status === 200) expect(page.forms.length).toBe(plain.forms.length);
      }
    }
  });
});

test('S98 every path of the product answers 405, with Allow, to the methods that it does not have', async () => {
  const allowed = new Map<string, Set<string>>();
  const allow = (path: string, method: string) => allowed.set(path, (allowed.get(path) ?? new Set()).add(method));
  const patterns = routes.map(({ method, path }) => ({
    method,
    path: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
  }));
  for (const path of routes.map((route) => existing(route.path))) {
    // `/admin/audit/export` is also the address of an event that is called so.
    for (const pattern of patterns) if (pattern.path.test(path)) allow(path, pattern.method);
  }
  for (const [path, methods] of Object.entries(METHODS)) for (const method of methods) allow(path, method);
  for (const path of ['/healthz', '/readyz']) allow(path, 'GET');
  const wrong: string[] = [];
  for (const [path, methods] of allowed) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (methods.has(method)) continue;
      const response = await fetch(`${postern.url}${path}`, { method, redirect: 'manual' });
      const header = response.headers.get('allow') ?? '';
      await response.arrayBuffer();
      const names = [...methods].every((name) => header.includes(name));
      if (response.status !== 405 || !names) wrong.push(`${method} ${path}: ${response.status} Allow: ${header}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('S78 S85 what was decided before is decided anew: an admin without the role is nobody special', async () => {
  const admin = await createPerson(postern, { roles: ['admin'] });
  const agent = await browserOf(postern, admin, '/admin');
  const csrf = csrfOf(await agent.get('/admin/users/new'));
  await postern.parts.users.unassignRole(admin.id, 'admin', BY_TEST);
  for (const route of inTable('admin')) {
    const path = existing(route.path);
    const page = route.method === 'GET' ? await agent.get(path) : await agent.post(path, { _csrf: csrf });
    expect([nameOf(route), page.status]).toEqual([nameOf(route), 403]);
  }
  expect((await agent.get('/account')).html).not.toContain('href="/admin"');
});
