import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { runCli } from '../../src/cli/run.ts';
import type { SigningAlg } from '../../src/kernel/access-token.ts';
import { clientCredentials, introspect } from '../support/oauth.ts';
import { BY_TEST, createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern, testEnvironment } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { moveTime } from '../support/time.ts';

const DAY = 86_400_000;
/** Seconds that a key has to be published before it signs: this test's clock moves by them, and so does that of jose. */
const PUBLISHED_BEFORE = 35;

/** Rotates; tokens are asked for, and asked about, at two other processes. */
let maker: Postern;
let processes: PosternProcess[] = [];
let issuer: string;
let audience: string;
let service: Service;
let keeper: Service;

beforeAll(async () => {
  maker = await startPostern();
  await maker.parts.keys.maintain();
  processes = await startProcesses(2, maker.databaseUrl);
  issuer = processes[0]?.url ?? '';
  audience = await createApi(maker, ['read', 'introspect'], 3_600);
  service = await createService(maker, [`${audience}#read`]);
  keeper = await createService(maker, [`${audience}#introspect`]);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

/** A service as the guide has it: the key set is fetched when it is needed, and kept as the library keeps it. */
function createVerifier() {
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
  return (token: string) => jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] });
}

/** What the schedule does once a key has signed for 90 days. */
async function bySchedule(alg: SigningAlg): Promise<void> {
  const at = new Date(Date.now() - 91 * DAY);
  await maker.db.prisma.signingKey.updateMany({ where: { alg, status: 'active' }, data: { activatedAt: at } });
  await maker.parts.keys.maintain();
}

async function byCommand(): Promise<void> {
  const silent = async () => undefined;
  const surroundings = { env: testEnvironment(maker.databaseUrl), osUser: 'ada', out: silent, err: silent };
  const rest = { readInput: async () => '', readFile: async () => '' };
  expect(await runCli(['keys', 'rotate', '--json'], { ...surroundings, ...rest })).toBe(0);
}

test('while keys rotate by schedule and by command, no token fails to verify, from its first moment to its last', async () => {
  // One that never sees a restart, and one after the other that begin anew.
  const verifiers = [createVerifier(), createVerifier()];
  const tokens: string[] = [];
  const failures: string[] = [];
  let rotating = true;

  async function look(token: string, where: number): Promise<void> {
    const origin = processes[where % 2]?.url ?? '';
    await Promise.all([
      ...verifiers.map((verify) => verify(token)),
      introspect(origin, keeper, token).then((told) => {
        if (told.active !== true) throw new Error(`inactive at ${origin}`);
      }),
    ]).catch((error: Error) => failures.push(`${decodeProtectedHeader(token).kid}: ${error.message}`));
  }

  const services = [0, 1, 2, 3].map(async (index) => {
    for (let turn = index; rotating; turn++) {
      const { body } = await clientCredentials(processes[index % 2]?.url ?? '', service);
      tokens.push(String(body.access_token));
      // The new one at the other process, and one from before.
      await look(String(body.access_token), index + 1);
      await look(tokens[(turn * 7) % tokens.length] ?? '', turn);
    }
  });

  /** Longer than a notification takes: what was rotated is in use before the next rotation. */
  async function used(): Promise<void> {
    const from = tokens.length;
    while (tokens.length < from + 24) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  await used();
  for (let round = 0; round < 3; round++) {
    moveTime(PUBLISHED_BEFORE);
    await bySchedule('ES256');
    await used();
    moveTime(PUBLISHED_BEFORE);
    await byCommand();
    await used();
    verifiers[1] = createVerifier();
  }
  rotating = false;
  await Promise.all(services);

  expect(failures).toEqual([]);
  const kids = new Set(tokens.map((token) => decodeProtectedHeader(token).kid));
  expect(kids.size).toBe(7);
  const rotations = await maker.db.prisma.auditEvent.count({ where: { action: 'key.rotate' } });
  expect(rotations).toBe(6);

  // What was signed first is good until it ends: its key is published for as long.
  const fresh = createVerifier();
  const [first = ''] = tokens;
  for (const token of tokens) await fresh(token);
  const { exp = 0, iat = 0 } = decodeJwt(first);
  const key = await maker.db.prisma.signingKey.findUniqueOrThrow({
    where: { kid: decodeProtectedHeader(first).kid ?? '' },
  });
  expect(Number(key.retiresAt)).toBeGreaterThan(exp * 1000);
  // An API's tokens live for an hour at the most, and so do ID tokens.
  expect(Number(key.retiresAt)).toBeGreaterThan((iat + 3_600) * 1000);
});

test('a key that was published a moment ago does not sign yet: whoever keeps the key set would not know it', async () => {
  moveTime(PUBLISHED_BEFORE);
  const { keys } = maker.parts;
  const before = (await keys.list()).find(({ alg, status }) => alg === 'PS256' && status === 'next');
  await keys.rotate(BY_TEST, 'PS256');
  const after = (await keys.list()).find(({ alg, status }) => alg === 'PS256' && status === 'active');
  expect(after?.kid).toBe(before?.kid);
  await expect(keys.rotate(BY_TEST, 'PS256')).rejects.toMatchObject({ code: 'signing_keys.too_soon', status: 409 });
  // Making a key takes a while by itself.
  moveTime(PUBLISHED_BEFORE - 15);
  await expect(keys.rotate(BY_TEST, 'PS256')).rejects.toMatchObject({ code: 'signing_keys.too_soon' });
  moveTime(15);
  await keys.rotate(BY_TEST, 'PS256');
});
