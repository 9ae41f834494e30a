import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAgent } from '../support/browserless.ts';
import { getCode } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApplication,
  createPerson,
  createService,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import {
  type Expected,
  forExchange,
  forPerson,
  forRefresh,
  forService,
  held,
  type ServiceModel,
  type Subject,
  type WorldModel,
} from '../support/scope-model.ts';
import { askAgain, askAsPerson, askAsService, askOnBehalf, type Got } from '../support/scope-requests.ts';

// Every role × API × grant type of a small installation: what comes is what follows from the roles.

const orders = 'https://orders.example.com';
const stock = 'https://stock.example.com';
const empty = 'https://empty.example.com';
const APIS = { [orders]: ['introspect', 'read', 'write'], [stock]: ['count', 'read'], [empty]: [] };
/** Role → what it carries, and what it includes. */
const ROLES: Record<string, { permissions: string[]; includes: string[] }> = {
  reader: { permissions: [`${orders}#read`], includes: [] },
  clerk: { permissions: [`${orders}#write`], includes: ['reader'] },
  counter: { permissions: [`${stock}#count`], includes: [] },
  manager: { permissions: [], includes: ['clerk', 'counter'] },
  title: { permissions: [], includes: [] },
};
const EVERYTHING = new Set(['introspect', 'read', 'write', 'count']);
/** What the application may ask for: on stock, not to read. */
const ALLOWED = [`${orders}#read`, `${orders}#write`, `${stock}#count`];

const world: WorldModel = {
  apis: new Map(Object.entries(APIS).map(([audience, names]) => [audience, new Set(names)])),
  roles: new Map(
    Object.entries(ROLES).map(([name, { permissions, includes }]) => [
      name,
      { permissions: new Set(permissions), includes: new Set(includes) },
    ]),
  ),
  teams: new Map(),
};
const oidc = new Set(['openid']);
const application = { allowed: new Set(ALLOWED), oidc, firstParty: true };
/** Serves both APIs and may exchange tokens for them; holds what the application may ask for. */
const gateway = {
  ...{ roles: new Map(), teams: new Set<string>(), exchanges: new Set([orders, stock]) },
  direct: new Set([...ALLOWED, `${orders}#introspect`]),
};

interface Holder extends Subject {
  service: Service;
  model: ServiceModel;
  agent: ReturnType<typeof createAgent>;
}

let postern: Postern;
let app: Application;
let gate: Service;
const holders = new Map<string, Holder>();

beforeAll(async () => {
  postern = await startPostern();
  const { access, users, serviceAccounts } = postern.parts;
  for (const [audience, names] of Object.entries(APIS)) {
    await access.apis.create({ audience, permissions: names.map((name) => ({ name })) }, BY_TEST);
  }
  app = await createApplication(postern, { permissions: ALLOWED, scopes: ['openid'] });
  gate = await createService(postern, [...gateway.direct]);
  for (const audience of gateway.exchanges) await serviceAccounts.allowExchange(gate.id, audience, BY_TEST);
  for (const [name, role] of Object.entries(ROLES)) await access.roles.create({ name, ...role }, BY_TEST);
  const front = await createApplication(postern);
  for (const name of ['none', ...Object.keys(ROLES)]) {
    const [person, service] = [await createPerson(postern), await createService(postern)];
    const roles = new Map(name === 'none' ? [] : [[name, 'lasts' as const]]);
    for (const role of roles.keys()) {
      await users.assignRole(person.id, role, BY_TEST);
      await access.roles.assign(role, { serviceAccountId: service.id }, BY_TEST);
    }
    const agent = createAgent(postern.url);
    await getCode(agent, front, person);
    const subject = { roles, teams: new Set<string>() };
    holders.set(name, { ...subject, service, agent, model: { ...subject, direct: new Set() } });
  }
});
afterAll(() => postern.close());

type Cell = (holder: Holder, audience: string) => Promise<{ got: Got | undefined; expected: Expected | undefined }>;

const asked = (audience: string) => ({ scope: EVERYTHING, resource: audience });

const ofService =
  (direct: boolean): Cell =>
  async ({ service, model }, audience) => ({
    got: await askAsService(postern.url, service, asked(audience), direct),
    expected: forService(world, model, asked(audience)),
  });

const ofPerson: Cell = async (holder, audience) => {
  const wanted = { scope: new Set([...EVERYTHING, 'openid']), resource: audience };
  return {
    got: await askAsPerson(postern.url, holder.agent, app, wanted),
    expected: forPerson(world, application, holder, wanted, undefined),
  };
};

const ofRefresh: Cell = async (holder, audience) => {
  const { got, expected } = await ofPerson(holder, audience);
  const token = got?.answer?.body.refresh_token;
  if (!token || !expected || 'error' in expected) return { got, expected };
  return {
    got: await askAgain(postern.url, app, token, undefined),
    expected: forRefresh(world, application, holder, { ...expected, oidc }, undefined),
  };
};

/** With the token that the person has for orders: the gateway serves that API. */
const ofExchange: Cell = async (holder, audience) => {
  const { got, expected } = await ofPerson(holder, orders);
  const token = got?.answer?.body.access_token;
  if (!token || !expected || 'error' in expected) return { got, expected };
  const subject = { held: held(world, holder), consented: undefined, ...expected };
  const wanted = { scope: undefined, resource: audience };
  return {
    got: await askOnBehalf(postern.url, gate, token, wanted),
    expected: forExchange(world, gateway, subject, wanted),
  };
};

const GRANTS: Record<string, Cell> = {
  'client_credentials (direct)': ofService(true),
  'client_credentials (library)': ofService(false),
  authorization_code: ofPerson,
  refresh_token: ofRefresh,
  'token-exchange': ofExchange,
};

const plain = (expected: Expected | undefined) =>
  expected && 'scope' in expected ? { ...expected, scope: [...expected.scope].sort() } : expected;

const cells = Object.keys(GRANTS).flatMap((grant) =>
  ['none', ...Object.keys(ROLES)].flatMap((role) => Object.keys(APIS).map((audience) => ({ grant, role, audience }))),
);

describe('S18 S82 role × API × grant', () => {
  test.each(cells)('S18 $grant: role $role at $audience', async ({ grant, role, audience }) => {
    const { got, expected } = (await GRANTS[grant]?.(holders.get(role) as Holder, audience)) ?? {};
    expect(expected).toBeDefined();
    expect(plain(got?.outcome)).toEqual(plain(expected));
  });

  test('S18 the model itself says what a reader of this table would', () => {
    const says = (role: string, audience: string) =>
      plain(forService(world, holders.get(role)?.model as ServiceModel, asked(audience)));
    expect(says('reader', orders)).toEqual({ audience: orders, scope: ['read'] });
    expect(says('manager', orders)).toEqual({ audience: orders, scope: ['read', 'write'] });
    expect(says('manager', stock)).toEqual({ audience: stock, scope: ['count'] });
    expect(says('title', orders)).toEqual({ error: 'invalid_target' });
    expect(says('manager', empty)).toEqual({ error: 'invalid_target' });
  });
});
