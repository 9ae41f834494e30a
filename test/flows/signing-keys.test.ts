import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { BY_TEST, createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime, resetTime } from '../support/time.ts';

const DAY = 86_400;

let postern: Postern;
let service: Service;

beforeAll(async () => {
  postern = await startPostern();
  service = await createService(postern, [`${await createApi(postern, ['read'])}#read`]);
});
afterEach(() => resetTime());
afterAll(() => postern.close());

async function published(): Promise<JSONWebKeySet> {
  return (await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as JSONWebKeySet;
}

async function token(): Promise<string> {
  const response = await fetch(`${postern.url}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: service.basic },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const body = (await response.json()) as { access_token: string };
  return body.access_token;
}

const kidOf = (jwt: string) => decodeProtectedHeader(jwt).kid;
const kids = async () => (await published()).keys.map((key) => key.kid);

/** A change of keys reaches the running provider by a notification of the database. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the change did not arrive');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('S48 a successor is published before it signs, and the former key as long as what it signed', async () => {
  await postern.parts.keys.maintain();
  await until(async () => (await kids()).length === 8);
  const before = await published();
  const algorithms = ['ES256', 'ES256', 'EdDSA', 'EdDSA', 'PS256', 'PS256', 'RS256', 'RS256'];
  expect(before.keys.map((key) => key.alg).sort()).toEqual(algorithms);
  expect(new Set(before.keys.map((key) => key.kid)).size).toBe(8);
  const secrets = before.keys.flatMap((key) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].filter((name) => name in key));
  expect(secrets).toEqual([]);
  const old = await token();

  await postern.parts.keys.rotate(BY_TEST);
  await until(async () => kidOf(await token()) !== kidOf(old));
  const fresh = await token();
  // Whoever kept the key set from before the rotation can verify what is signed after it.
  await jwtVerify(fresh, createLocalJWKSet(before), { issuer: postern.url });
  await jwtVerify(old, createLocalJWKSet(await published()), { issuer: postern.url });

  moveTime(4_300);
  await postern.parts.keys.maintain();
  await until(async () => !(await kids()).includes(kidOf(old)));
  const retired = (await postern.parts.keys.list()).find((key) => key.kid === kidOf(old));
  expect(retired?.status).toBe('retired');
  const [row] = await postern.db.query<{ length: number }>(
    'private-length',
    'SELECT length(private_enc) AS length FROM signing_key WHERE kid = $1',
    [kidOf(old)],
  );
  expect(row?.length).toBe(0);
});

test('keys are rotated when they have signed for 90 days, and not before', async () => {
  await postern.parts.keys.maintain();
  const before = kidOf(await token());
  moveTime(89 * DAY);
  await postern.parts.keys.maintain();
  expect(kidOf(await token())).toBe(before);
  moveTime(91 * DAY);
  await postern.parts.keys.maintain();
  await until(async () => kidOf(await token()) !== before);
  const [event] = await postern.db.query<{ actor_id: string }>(
    'newest-rotation',
    "SELECT actor_id FROM audit_event WHERE action = 'key.rotate' ORDER BY seq DESC LIMIT 1",
    [],
  );
  expect(event?.actor_id).toBe('schedule');
});

test('while keys are rotated no token is issued that the published keys do not verify', async () => {
  // The keys of the test before were made in its time.
  moveTime(181 * DAY);
  let verified = 0;
  for (let rotation = 0; rotation < 3; rotation++) {
    moveTime(36);
    let isUnderWay = true;
    const rotated = postern.parts.keys.rotate(BY_TEST).finally(() => {
      isUnderWay = false;
    });
    do {
      const jwt = await token();
      await jwtVerify(jwt, createLocalJWKSet(await published()), { issuer: postern.url });
      verified += 1;
    } while (isUnderWay);
    await rotated;
  }
  expect(verified).toBeGreaterThanOrEqual(3);
});
