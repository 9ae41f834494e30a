import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { clientCredentials, getCode, introspect, redeem, refresh } from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

/** Makes and revokes; tokens are asked for at two other processes on the same database. */
let maker: Postern;
let processes: PosternProcess[] = [];
let audience: string;
let other: string;
let verifier: Service;
let person: Person;
let application: Application;
let agent: Agent;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  audience = await createApi(maker, ['read', 'introspect']);
  other = await createApi(maker, ['read', 'introspect']);
  verifier = await createService(maker, [`${audience}#introspect`, `${other}#introspect`]);
  person = await createPerson(maker);
  await grantRole(maker, person, [`${audience}#read`]);
  application = await createApplication(maker, { permissions: [`${audience}#read`] });
  agent = createAgent(at(0));
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const at = (index: number): string => processes[index % processes.length]?.url ?? '';

async function active(tokens: string[]): Promise<number> {
  const told = await Promise.all(tokens.map((token, index) => introspect(at(index), verifier, token)));
  return told.filter((answer) => answer.active).length;
}

/**
 * Asks without a pause at both processes while `end` happens. `before`: what had been answered when it began; `after`:
 * what was asked for when it was over.
 */
async function askAround(ask: (origin: string) => Promise<string | undefined>, end: () => Promise<unknown>) {
  const before: string[] = [];
  const after: string[] = [];
  let phase: 'before' | 'under way' | 'after' = 'before';
  const workers = Array.from({ length: 6 }, async (_, index) => {
    while (phase !== 'after' || after.length < 6) {
      const began = phase;
      const token = await ask(at(index));
      if (token === undefined) continue;
      if (phase === 'before') before.push(token);
      if (began === 'after') after.push(token);
    }
  });
  while (before.length < 30) await new Promise((resolve) => setImmediate(resolve));
  phase = 'under way';
  await end();
  phase = 'after';
  await Promise.all(workers);
  return { before, after };
}

async function events(): Promise<{ data: { tokens: number } }[]> {
  return maker.db.query(
    'test-revocations',
    "SELECT target_type, target_id, data FROM audit_event WHERE action = 'token.revoke_all' ORDER BY seq",
    [],
  );
}

test('S50 S51 no token that a service had is active once all of it are revoked, and it gets new ones', async () => {
  const service = await createService(maker, [`${audience}#read`]);
  const ask = async (origin: string) => (await clientCredentials(origin, service)).body.access_token;
  const revoke = () => maker.parts.tokens.revokeAll({ client: service.clientId }, BY_TEST);
  const { before, after } = await askAround(ask, revoke);
  expect(await active(before)).toBe(0);
  expect(await active(after)).toBe(after.length);
  const [event] = (await events()).slice(-1);
  expect(event).toMatchObject({ target_type: 'client', target_id: service.clientId });
  expect(event?.data.tokens).toBeGreaterThanOrEqual(before.length);
});

test('S50 S51 nor one for an API, whoever has it; tokens for other APIs stay', async () => {
  const services = [await createService(maker, [`${audience}#read`]), await createService(maker, [`${audience}#read`])];
  const elsewhere = await createService(maker, [`${other}#read`]);
  const kept = String((await clientCredentials(at(0), elsewhere)).body.access_token);
  let n = 0;
  const ask = async (origin: string) => {
    n += 1;
    return (await clientCredentials(origin, services[n % 2] as Service)).body.access_token;
  };
  const { before, after } = await askAround(ask, () => maker.parts.tokens.revokeAll({ audience }, BY_TEST));
  expect(await active(before)).toBe(0);
  expect(await active(after)).toBe(after.length);
  expect(await active([kept])).toBe(1);
  expect((await events()).at(-1)).toMatchObject({ target_type: 'api', target_id: audience });
});

test('S50 S51 S20 a person’s tokens end in every application, and no refresh or code brings them back', async () => {
  const extra = { scope: 'openid read', resource: audience };
  const signed = await redeem(at(1), application, await getCode(agent, application, person, extra));
  let held = String(signed.body.refresh_token);
  const waiting = await getCode(agent, application, person, extra);
  const given: string[] = [String(signed.body.access_token)];
  let ended = false;
  const worker = (async () => {
    for (let n = 0; ; n++) {
      const { status, body } = await refresh(at(n), application, held);
      if (status !== 200) return body.error;
      if (!ended) given.push(String(body.access_token));
      held = String(body.refresh_token);
    }
  })();
  while (given.length < 5) await new Promise((resolve) => setImmediate(resolve));
  await maker.parts.tokens.revokeAll({ user: person.email }, BY_TEST);
  ended = true;
  expect(await worker).toBe('invalid_grant');
  expect(await active(given)).toBe(0);
  expect((await redeem(at(0), application, waiting)).body.error).toBe('invalid_grant');
  expect((await refresh(at(1), application, held)).body.error).toBe('invalid_grant');
  // The browser's session is another matter: a new authorization gives new tokens.
  const again = await redeem(at(0), application, await getCode(agent, application, person, extra));
  expect(await active([String(again.body.access_token)])).toBe(1);
});

test('S51 an API’s end leaves refresh tokens, and they give a new access token', async () => {
  const extra = { scope: 'openid read', resource: audience };
  const { body } = await redeem(at(0), application, await getCode(agent, application, person, extra));
  await maker.parts.tokens.revokeAll({ audience }, BY_TEST);
  expect(await active([String(body.access_token)])).toBe(0);
  const next = await refresh(at(1), application, String(body.refresh_token));
  expect(await active([String(next.body.access_token)])).toBe(1);
});
