import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Chain, createChain, exchange } from '../support/exchange.ts';
import { asClient, introspect, postForm } from '../support/oauth.ts';
import { BY_TEST, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

/** Makes and changes; tokens are exchanged at two other processes on the same database. */
let maker: Postern;
let processes: PosternProcess[] = [];
let chain: Chain;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  chain = await createChain(maker, 3);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const at = (index: number): string => processes[index % processes.length]?.url ?? '';
const service = (index: number): Service => chain.services[index] ?? { id: '', clientId: '', secret: '', basic: '' };
const api = (index: number): string => chain.apis[index] ?? '';

/** Exchanges without a pause at both processes, twice in a row, and answers every token that it was given until after `end`. */
async function exchangeUntil(subject: string, end: () => Promise<unknown>): Promise<{ token: string; api: number }[]> {
  const given: { token: string; api: number }[] = [];
  let ended = false;
  const workers = Array.from({ length: 6 }, async (_, index) => {
    while (!ended) {
      const first = await exchange(at(index), service(0), subject, api(1));
      const token = first.body.access_token;
      if (!token) continue;
      given.push({ token, api: 1 });
      const second = await exchange(at(index + 1), service(1), token, api(2));
      if (second.body.access_token) given.push({ token: second.body.access_token, api: 2 });
    }
  });
  while (given.length < 20) await new Promise((resolve) => setImmediate(resolve));
  await end();
  ended = true;
  await Promise.all(workers);
  return given;
}

async function active(tokens: { token: string; api: number }[]): Promise<number> {
  const told = await Promise.all(tokens.map(({ token, api: index }, n) => introspect(at(n), service(index), token)));
  return told.filter((answer) => answer.active).length;
}

test('S37 a rule that was taken back is refused on every process within a second', async () => {
  const subject = await chain.personToken(at(0));
  for (const index of [0, 1]) expect((await exchange(at(index), service(0), subject, api(1))).status).toBe(200);
  await maker.parts.serviceAccounts.denyExchange(service(0).id, api(1), BY_TEST);
  const began = performance.now();
  for (const index of [0, 1]) {
    let answer = await exchange(at(index), service(0), subject, api(1));
    while (answer.status === 200 && performance.now() - began < 1000) {
      answer = await exchange(at(index), service(0), subject, api(1));
    }
    expect(answer.body.error).toBe('invalid_target');
  }
  expect(performance.now() - began).toBeLessThan(1000);
  await maker.parts.serviceAccounts.allowExchange(service(0).id, api(1), BY_TEST);
});

test('S37 nothing that was exchanged while its subject token was revoked is active, at whichever process', async () => {
  const { form, headers } = asClient(chain.application);
  for (let round = 0; round < 3; round++) {
    const subject = await chain.personToken(at(0));
    const ways = [
      () => postForm(`${at(1)}/oauth2/revoke`, { ...form, token: subject }, headers),
      () => maker.parts.tokens.revoke(decodeJwt(subject).jti ?? '', BY_TEST),
      () => maker.db.tx((tx) => maker.parts.sessions.endAll(tx, chain.person.id)),
    ];
    const given = await exchangeUntil(subject, async () => ways[round]?.());
    expect(given.length).toBeGreaterThanOrEqual(20);
    expect(await active(given)).toBe(0);
  }
});
