import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Provider from 'oidc-provider';
import { attackWithBodies } from '../support/hostile/bodies.ts';
import { bearerTarget, exchangeByAudience, exchangeTarget } from '../support/hostile/delegated-grants.ts';
import { backchannelTarget, codeTarget, refreshTarget } from '../support/hostile/person-grants.ts';
import { clientCredentialsTargets, provenTarget } from '../support/hostile/service-grants.ts';
import { attack, type Target } from '../support/hostile/target.ts';
import { createWorld, type World } from '../support/hostile/world.ts';

/** Grants and their parameters as they are registered when the product starts. */
const registered = new Map<string, Set<string>>();
const { prototype } = Provider as unknown as {
  prototype: {
    registerGrantType(this: unknown, ...given: [string, unknown, (string | Iterable<string>)?, unknown?]): void;
  };
};
const register = prototype.registerGrantType;
prototype.registerGrantType = function record(...given) {
  const [name, , params = []] = given;
  registered.set(name, new Set(typeof params === 'string' ? [params] : params));
  register.apply(this, given);
};

let world: World;
const targets = new Map<string, Target>();

/** Targets and the rows of each; the last tests hold this list to what the product takes. */
const ROWS: Record<string, string[]> = {
  client_credentials: ['grant_type', 'scope', 'resource', 'authorization_details', 'authorization'],
  'client_credentials, secret in the form': ['client_id', 'client_secret'],
  'client_credentials, private_key_jwt': ['client_assertion', 'client_assertion_type'],
  'client_credentials, tls_client_auth': ['client_id', 'client-cert'],
  'client_credentials, self_signed_tls_client_auth': ['client_id', 'client-cert'],
  'client_credentials, DPoP': ['dpop'],
  'token exchange': [
    'grant_type',
    'subject_token',
    'subject_token_type',
    'actor_token',
    'actor_token_type',
    'requested_token_type',
    'resource',
    'scope',
  ],
  'token exchange, by audience': ['audience'],
  'JWT bearer': ['grant_type', 'assertion', 'scope', 'resource', 'client_id'],
  'authorization_code, confidential': [
    'grant_type',
    'authorization_details',
    'code',
    'code_verifier',
    'redirect_uri',
    'resource',
  ],
  'authorization_code, public': ['client_id', 'code', 'code_verifier'],
  refresh_token: ['grant_type', 'authorization_details', 'refresh_token', 'scope', 'resource'],
  CIBA: ['grant_type', 'auth_req_id', 'resource', 'authorization_details'],
};

beforeAll(async () => {
  world = await createWorld();
  const made = [
    ...clientCredentialsTargets(world),
    await provenTarget(world),
    await exchangeTarget(world),
    await exchangeByAudience(world),
    bearerTarget(world),
    await codeTarget(world, 'confidential'),
    await codeTarget(world, 'public'),
    await refreshTarget(world),
    await backchannelTarget(world),
  ];
  for (const target of made) targets.set(target.name, target);
});
afterAll(() => world.close());

describe.each(Object.entries(ROWS))('S92 %s', (name, rows) => {
  test.each(rows)('S13 S18 S90 S92 %s', async (parameter) => {
    const target = targets.get(name);
    const row = target?.rows.find((one) => one.name === parameter);
    if (!target || !row) throw new Error('not in the table');
    expect(await attack(world.postern, target, row)).toEqual([]);
  });
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

  test('holds every grant of the metadata, and every parameter that a grant has', async () => {
    const response = await fetch(`${world.postern.url}/.well-known/openid-configuration`);
    const { grant_types_supported: supported } = (await response.json()) as { grant_types_supported: string[] };
    expect([...registered.keys()].sort()).toEqual([...supported].sort());
    const attacked = new Map<string, Set<string>>();
    for (const target of targets.values()) {
      const { params } = await target.good();
      const grant = params.grant_type ?? '';
      attacked.set(grant, new Set([...(attacked.get(grant) ?? []), ...target.rows.map(({ name }) => name)]));
    }
    for (const [grant, params] of registered) {
      const missing = [...params].filter((name) => !attacked.get(grant)?.has(name));
      expect({ grant, missing }).toEqual({ grant, missing: [] });
    }
  });
});

test('S92 in all of that nothing failed inside', () => {
  const faults = world.postern.logged.filter(({ level }) => level === 'error' || level === 'fatal');
  expect(faults).toEqual([]);
});
