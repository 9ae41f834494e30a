import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Agent, createAgent } from '../support/browserless.ts';
import {
  clientCredentials,
  getCode,
  introspect,
  postForm,
  redeem,
  refresh,
  type TokenAnswer,
} from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  useAssertions,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

/** Only makes what the tests need; requests go to the two processes. */
let maker: Postern;
let processes: PosternProcess[] = [];
let issuer: string;
let person: Person;
let application: Application;
let agent: Agent;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  issuer = processes[0]?.url ?? '';
  person = await createPerson(maker);
  application = await createApplication(maker);
  agent = createAgent(issuer);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const TRIES = 50;

/** All at once, half of them at each process. */
function everywhere(send: (origin: string) => Promise<TokenAnswer>): Promise<TokenAnswer[]> {
  return Promise.all(Array.from({ length: TRIES }, (_, index) => send(processes[index % processes.length]?.url ?? '')));
}

function split(answers: TokenAnswer[]): { won: TokenAnswer[]; lost: TokenAnswer[] } {
  const won = answers.filter(({ status }) => status === 200);
  return { won, lost: answers.filter(({ status }) => status !== 200) };
}

/** Nothing that came out of the race may live on where the race was seen as a replay. */
async function expectDead(tokens: unknown[], client = application): Promise<void> {
  for (const token of tokens) {
    for (const { url } of processes) expect(await introspect(url, client, String(token))).toEqual({ active: false });
  }
}

const offline = { scope: 'openid offline_access', prompt: 'consent' };

describe('over two processes', () => {
  // Cold processes are no race: the first to have a connection is far ahead of the others.
  test.each(['first', 'second', 'third'])(
    'S10 of 50 parallel redemptions of one code at most one succeeds (%s round)',
    async () => {
      const client = await createApplication(maker);
      const got = await getCode(agent, client, person, offline);
      const { won, lost } = split(await everywhere((origin) => redeem(origin, client, got)));
      expect(won.length).toBeLessThanOrEqual(1);
      expect(new Set(lost.map(({ status, body }) => `${status} ${body.error}`))).toEqual(
        new Set(['400 invalid_grant']),
      );
      // The others were a replay: what the winner got ends with the grant (S9).
      const tokens = won.flatMap(({ body }) => [body.access_token, body.refresh_token]);
      await expectDead(tokens, client);
      const rows = await maker.db.query<{ issued: number }>(
        'test-code-rows',
        `SELECT count(*)::int AS issued FROM token WHERE client_id = $1 AND kind IN ('AccessToken', 'RefreshToken')`,
        [client.clientId],
      );
      expect(rows).toEqual([{ issued: tokens.length }]);
    },
  );

  test('S10 a code that is not raced for works at the other process', async () => {
    const got = await getCode(agent, application, person);
    expect((await redeem(processes[1]?.url ?? '', application, got)).status).toBe(200);
  });

  test('S29 of 50 parallel uses of one refresh token at most one succeeds, and the family ends', async () => {
    const { body } = await redeem(issuer, application, await getCode(agent, application, person, offline));
    const held = String(body.refresh_token);
    const { won, lost } = split(await everywhere((origin) => refresh(origin, application, held)));
    expect(won.length).toBeLessThanOrEqual(1);
    expect(new Set(lost.map(({ status, body: { error } }) => `${status} ${error}`))).toEqual(
      new Set(['400 invalid_grant']),
    );
    await expectDead([
      held,
      body.access_token,
      ...won.flatMap((answer) => [answer.body.access_token, answer.body.refresh_token]),
    ]);
    for (const { body: next } of won) {
      expect((await refresh(issuer, application, String(next.refresh_token))).body.error).toBe('invalid_grant');
    }
  });

  test('S28 of 50 parallel uses of one client assertion one succeeds', async () => {
    const audience = await createApi(maker, ['read']);
    const service = await createService(maker, [`${audience}#read`]);
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    await useAssertions(maker, service.clientId, { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' });
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuer(service.clientId)
      .setSubject(service.clientId)
      .setAudience(issuer)
      .setJti('once')
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    const { won, lost } = split(
      await everywhere((origin) =>
        postForm(`${origin}/oauth2/token`, {
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }),
      ),
    );
    expect(won).toHaveLength(1);
    expect(new Set(lost.map(({ status, body }) => `${status} ${body.error}`))).toEqual(new Set(['401 invalid_client']));
  });

  test('parallel silent sign-ins to eight applications of one session all work', async () => {
    const applications = await Promise.all(Array.from({ length: 8 }, () => createApplication(maker)));
    await getCode(agent, application, person);
    const answers = await Promise.all(
      applications.map(async (client, index) => {
        const code = await getCode(agent.clone(), client, person, { prompt: 'none' });
        return redeem(processes[index % 2]?.url ?? '', client, code);
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(applications.map(() => 200));
  });

  test('S32 a service account that is disabled at one process is refused at the other at once', async () => {
    const audience = await createApi(maker, ['read']);
    const service = await createService(maker, [`${audience}#read`]);
    const warm = await Promise.all(processes.map(({ url }) => clientCredentials(url, service)));
    expect(warm.map(({ status }) => status)).toEqual([200, 200]);
    await maker.parts.serviceAccounts.disable(service.id, { by: { type: 'system' } });
    const until = performance.now() + 2_000;
    let statuses = [200];
    while (statuses.includes(200) && performance.now() < until) {
      statuses = await Promise.all(processes.map(async ({ url }) => (await clientCredentials(url, service)).status));
    }
    expect(statuses).toEqual([401, 401]);
  });

  test('a key that is rotated at one process signs at both, and what was signed before still verifies', async () => {
    const audience = await createApi(maker, ['read']);
    const service = await createService(maker, [`${audience}#read`]);
    const before = String((await clientCredentials(issuer, service)).body.access_token);
    const kidOf = (token: unknown) => JSON.parse(atob(String(token).split('.')[0] ?? '')).kid as string;
    await maker.parts.keys.rotate({ by: { type: 'system' } });
    const until = performance.now() + 5_000;
    let kids = new Set([kidOf(before)]);
    while ((kids.size !== 1 || kids.has(kidOf(before))) && performance.now() < until) {
      const tokens = await Promise.all(processes.map(async ({ url }) => (await clientCredentials(url, service)).body));
      kids = new Set(tokens.map(({ access_token: token }) => kidOf(token)));
    }
    expect(kids.size).toBe(1);
    expect(kids.has(kidOf(before))).toBe(false);
    for (const { url } of processes) expect(await introspect(url, service, before)).toMatchObject({ active: true });
  });

  // Last: it leaves one process behind.
  test('S29 a replay is known for one after kill -9, and SIGTERM ends with status 0', async () => {
    const other = await createApplication(maker);
    const { body } = await redeem(issuer, other, await getCode(agent, other, person, offline));
    const rotated = await refresh(issuer, other, String(body.refresh_token));
    expect(rotated.status).toBe(200);
    expect(await processes[0]?.stop('SIGKILL')).toBeNull();
    const survivor = processes[1]?.url ?? '';
    expect((await refresh(survivor, other, String(body.refresh_token))).body.error).toBe('invalid_grant');
    expect((await refresh(survivor, other, String(rotated.body.refresh_token))).body.error).toBe('invalid_grant');
    expect(await processes[1]?.stop('SIGTERM')).toBe(0);
  });
});
