import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attackWithBodies } from '../support/hostile/bodies.ts';
import { introspectionTarget, NEVER_PUSHED, pushTarget, revocationTarget } from '../support/hostile/endpoints.ts';
import { faultsOfRefusal, sendForm } from '../support/hostile/judge.ts';
import { attack, encodeForm, type Target } from '../support/hostile/target.ts';
import { createWorld, type World } from '../support/hostile/world.ts';

let world: World;
const targets = new Map<string, Target>();

/** Targets and the rows of each; the last tests hold this list to what the product takes. */
const ROWS: Record<string, string[]> = {
  introspection: ['token', 'token_type_hint', 'authorization'],
  revocation: ['token', 'token_type_hint', 'authorization'],
  'pushed authorization request': [
    'acr_values',
    'claims',
    'claims_locales',
    'code_challenge',
    'code_challenge_method',
    'display',
    'dpop_jkt',
    'login_hint',
    'max_age',
    'nonce',
    'prompt',
    'redirect_uri',
    'resource',
    'response_mode',
    'response_type',
    'scope',
    'state',
    'ui_locales',
    'authorization_details',
    'client_id',
    'authorization',
  ],
};

beforeAll(async () => {
  world = await createWorld();
  const [own] = world.applications;
  const { applications } = world.postern.parts;
  await applications.setProtocol(own.clientId, { claimsParameter: true }, { by: { type: 'system' } });
  for (const target of [await introspectionTarget(world), await revocationTarget(world), pushTarget(world)]) {
    targets.set(target.name, target);
  }
});
afterAll(() => world.close());

describe.each(Object.entries(ROWS))('S92 %s', (name, rows) => {
  test.each(rows)('S13 S22 S49 S51 S90 S92 %s', async (parameter) => {
    const target = targets.get(name);
    const row = target?.rows.find((one) => one.name === parameter);
    if (!target || !row) throw new Error('not in the table');
    expect(await attack(world.postern, target, row)).toEqual([]);
  });
});

test.each(Object.entries(NEVER_PUSHED))('S22 S25 S92 a pushed %s is refused', async (name, codes) => {
  const target = targets.get('pushed authorization request');
  const { params, headers } = (await target?.good()) ?? { params: {}, headers: {} };
  for (const value of [
    'x',
    '1',
    '{}',
    '[]',
    'a.b.c',
    'https://attacker.example/x',
    'urn:ietf:params:oauth:request_uri:x',
  ]) {
    const answer = await sendForm(`${world.postern.url}/oauth2/par`, encodeForm({ ...params, [name]: value }), headers);
    expect({ value, faults: faultsOfRefusal(answer, codes) }).toEqual({ value, faults: [] });
  }
});

test.each(Object.keys(ROWS))('S92 %s reads its form from a form alone', async (name) => {
  const target = targets.get(name);
  expect(target && (await attackWithBodies(world.postern, target))).toEqual([]);
});

describe('the table', () => {
  test('holds every row of every target', () => {
    const listed = [...targets.values()].map(({ name, rows }) => [name, rows.map((row) => row.name)]);
    expect(Object.fromEntries(listed)).toEqual(ROWS);
  });

  test('holds every parameter of an authorization request', async () => {
    const list = 'oidc-provider/lib/consts/param_list.js';
    const { default: authorizationParameters } = (await import(list)) as { default: string[] };
    const rows = ROWS['pushed authorization request'] ?? [];
    const known = authorizationParameters.filter((name) => !rows.includes(name) && !(name in NEVER_PUSHED));
    expect(known).toEqual([]);
  });
});

test('S92 in all of that nothing failed inside', () => {
  const faults = world.postern.logged.filter(({ level }) => level === 'error' || level === 'fatal');
  expect(faults).toEqual([]);
});
