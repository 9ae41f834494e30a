import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Agent, createAgent } from '../support/browserless.ts';
import { getCode } from '../support/oauth.ts';
import { createApplication } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type Random, seeded } from '../support/random.ts';
import {
  type Expected,
  forExchange,
  forPerson,
  forRefresh,
  forService,
  held,
  OIDC,
  ofService,
  on,
} from '../support/scope-model.ts';
import {
  askAgain,
  askAsPerson,
  askAsService,
  askAsWorkload,
  askOnBehalf,
  type Got,
} from '../support/scope-requests.ts';
import { createScopeWorld, NAMES, type ScopeWorld } from '../support/scope-world.ts';

// In random installations every grant type is asked for random scopes, good ones and hostile ones. What comes is held to
// a model of the rule (scope-model.ts) that shares nothing with the product.

const SEEDS = [20_270_301, 7, 99_991];
const HOSTILE = ['nope', 'READ', 'read,write', '*', 'https://x.example#read', 'offline', 'roles', 'groups', 'openid'];
/** Whose tokens are taken for service accounts. */
const PLATFORM = 'https://platform.example.com';
const LONG_MS = 120_000;

let postern: Postern;
let worlds: ScopeWorld[];
let platformKey: CryptoKey;
const browsers = new Map<string, Agent>();

beforeAll(async () => {
  postern = await startPostern();
  worlds = [];
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  platformKey = privateKey;
  const platform = { issuer: PLATFORM, jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'p', alg: 'ES256' }] } };
  for (const [n, seed] of SEEDS.entries()) {
    worlds.push(await createScopeWorld(postern, seeded(seed), `w${n}`, platform));
  }
  const front = await createApplication(postern);
  for (const { made } of worlds.flatMap(({ people }) => people)) {
    const agent = createAgent(postern.url);
    await getCode(agent, front, made);
    browsers.set(made.id, agent);
  }
  await everythingTold();
}, LONG_MS);
afterAll(() => postern.close());

/** Notifications come in order: when this one has come, every change before it is known. */
async function everythingTold(): Promise<void> {
  const told = Promise.withResolvers<void>();
  const stop = await postern.db.listen('everything_told', () => told.resolve());
  await postern.db.notify('everything_told', '');
  await told.promise;
  await stop();
}

interface Case {
  about: unknown;
  expected: Expected;
  got: Got;
}

/** A further grant type needs an entry here: how it is asked for, and what the model says to that. */
const GRANT_TYPES: Record<string, { rounds: number; ask(world: ScopeWorld, random: Random): Promise<Case[]> }> = {
  'client_credentials, answered by our own code': {
    rounds: 60,
    ask: (world, random) => asService(world, random, true),
  },
  'client_credentials, answered by the library': {
    rounds: 40,
    ask: (world, random) => asService(world, random, false),
  },
  'jwt-bearer, for a workload without a secret': { rounds: 40, ask: asWorkload },
  'token-exchange, of a service’s token': { rounds: 40, ask: onBehalfOfService },
  'token-exchange, of a person’s token': { rounds: 30, ask: onBehalfOfPerson },
  authorization_code: { rounds: 40, ask: async (world, random) => [(await asPerson(world, random)).case] },
  'refresh_token, after roles and permissions came and went': { rounds: 25, ask: asRefresher },
};

function scopes(random: Random, extra: string[]): Set<string> {
  return new Set([...extra, ...random.some(NAMES, 0.5), ...(random.chance(0.3) ? [random.pick(HOSTILE)] : [])]);
}

function askedOf(world: ScopeWorld, random: Random) {
  const scope = random.chance(0.2) ? undefined : scopes(random, [random.pick(NAMES)]);
  const resource = random.pick([undefined, ...world.apis.keys(), ...world.apis.keys(), 'https://none.example.com']);
  return { scope, resource };
}

async function asService(world: ScopeWorld, random: Random, direct: boolean): Promise<Case[]> {
  const service = random.pick(world.services);
  const asked = askedOf(world, random);
  const got = await askAsService(postern.url, service.made, asked, direct);
  return [{ about: { service: service.made.clientId, ...asked }, expected: forService(world, service, asked), got }];
}

async function asWorkload(world: ScopeWorld, random: Random): Promise<Case[]> {
  const service = random.pick(world.services);
  const asked = askedOf(world, random);
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'p' })
    .setIssuer(PLATFORM)
    .setSubject(service.workload)
    .setAudience(postern.url)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(platformKey);
  const got = await askAsWorkload(postern.url, service.made, assertion, asked);
  return [{ about: { workload: service.workload, ...asked }, expected: forService(world, service, asked), got }];
}

interface SubjectOfExchange {
  about: object;
  held: Set<string>;
  consented: Set<string> | undefined;
}

/** A service asks for the next API, with the token that a first request brought; often it is the one that was called. */
async function exchanged(world: ScopeWorld, random: Random, first: Case, subject: SubjectOfExchange): Promise<Case[]> {
  const { outcome, answer } = first.got;
  const token = answer?.body.access_token;
  if ('error' in outcome || token === undefined) return [first];
  const serving = world.services.filter((one) => on(world, outcome.audience, ofService(world, one)).has('introspect'));
  const caller = random.pick(serving.length > 0 && random.chance(0.9) ? serving : world.services);
  const scope = random.chance(0.4) ? undefined : scopes(random, [...outcome.scope]);
  const likely = [...caller.exchanges];
  const resource = random.pick(likely.length > 0 && random.chance(0.8) ? likely : [...world.apis.keys()]);
  const asked = { scope, resource };
  const got = await askOnBehalf(postern.url, caller.made, token, asked);
  const { held, consented, about } = subject;
  const expected = forExchange(world, caller, { held, consented, ...outcome }, asked);
  return [first, { about: { caller: caller.made.clientId, ...asked, subject: about, token: outcome }, expected, got }];
}

async function onBehalfOfService(world: ScopeWorld, random: Random): Promise<Case[]> {
  const service = random.pick(world.services);
  const asked = { scope: undefined, resource: random.pick([...world.apis.keys()]) };
  const got = await askAsService(postern.url, service.made, asked, true);
  const about = { service: service.made.clientId, ...asked };
  const first = { about, expected: forService(world, service, asked), got };
  return exchanged(world, random, first, { about, held: ofService(world, service), consented: undefined });
}

async function onBehalfOfPerson(world: ScopeWorld, random: Random): Promise<Case[]> {
  const { case: first, person, consented } = await asPerson(world, random);
  return exchanged(world, random, first, {
    about: { person: person.made.email },
    held: held(world, person),
    consented,
  });
}

interface PersonCase {
  case: Case;
  person: ScopeWorld['people'][number];
  application: ScopeWorld['applications'][number];
  asked: { scope: Set<string>; resource: string };
  consented: Set<string> | undefined;
}

async function asPerson(world: ScopeWorld, random: Random): Promise<PersonCase> {
  const [person, application] = [random.pick(world.people), random.pick(world.applications)];
  const asked = { scope: scopes(random, ['openid']), resource: random.pick([...world.apis.keys()]) };
  let consented: Set<string> | undefined;
  if (!application.firstParty) {
    const all = [...OIDC, ...[...world.apis.keys()].flatMap((api) => NAMES.map((name) => `${api}#${name}`))];
    // Often what this request needs is there, so that consent to the rest counts where the token is exchanged.
    const needed = random.chance(0.7) ? all.filter((one) => !one.includes('#') || one.startsWith(asked.resource)) : [];
    consented = new Set([...needed, ...random.some(all, 0.5)]);
    await world.consent(person, application, [...consented]);
  }
  const agent = browsers.get(person.made.id) as Agent;
  const got = await askAsPerson(postern.url, agent, application.made, asked);
  const about = { application: application.made.clientId, person: person.made.email, ...asked, consented };
  const expected = forPerson(world, application, person, asked, consented);
  return { case: { about, expected, got }, person, application, asked, consented };
}

async function asRefresher(world: ScopeWorld, random: Random): Promise<Case[]> {
  const { case: first, person, application, asked } = await asPerson(world, random);
  let refreshToken = first.got.answer?.body.refresh_token;
  if ('error' in first.got.outcome || refreshToken === undefined) return [first];
  const granted = { ...first.got.outcome, oidc: new Set([...asked.scope].filter((name) => OIDC.has(name))) };
  const cases = [first];
  for (let turn = 0; turn < 3; turn++) {
    await world.change(random, person);
    await world.change(random);
    await everythingTold();
    const wanted = random.chance(0.5)
      ? undefined
      : new Set(random.some([...granted.scope, ...HOSTILE.slice(0, 1)], 0.6));
    const scope = wanted && wanted.size > 0 ? wanted : undefined;
    const got = await askAgain(postern.url, application.made, refreshToken, scope);
    const expected = forRefresh(world, application, person, granted, scope);
    cases.push({ about: { ...(first.about as object), granted, refreshed: scope, turn }, expected, got });
    // Where nothing was granted nothing was spent: the same refresh token is used for the next turn.
    refreshToken = got.answer?.body.refresh_token ?? refreshToken;
  }
  return cases;
}

/** Sets print as lists. */
const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_key, part: unknown) => (part instanceof Set ? [...part].sort() : part)));

describe.each(Object.entries(GRANT_TYPES))('%s', (_name, { rounds, ask }) => {
  test.each(SEEDS.map((seed, n) => ({ seed, n })))(
    'S18 S31 S32 S34 no scope but the one that the rule gives, in world $n',
    async ({ seed, n }) => {
      const world = worlds[n] as ScopeWorld;
      const random = seeded(seed + 1);
      const seen = new Map<string, number>();
      for (let round = 0; round < rounds; round++) {
        for (const { about, expected, got } of await ask(world, random)) {
          expect(plain({ about, outcome: got.outcome })).toEqual(plain({ about, outcome: expected }));
          if ('scope' in expected)
            expect(plain({ about, told: got.told })).toEqual(plain({ about, told: expected.scope }));
          const kind = 'error' in expected ? expected.error : 'granted';
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }
      // The generator must reach grants and refusals, or the comparison says little.
      expect(seen.get('granted') ?? 0).toBeGreaterThan(rounds / 8);
      expect([...seen.keys()].length).toBeGreaterThan(1);
    },
    LONG_MS,
  );
});
