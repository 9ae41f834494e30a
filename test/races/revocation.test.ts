import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { clientCredentials, introspect } from '../support/oauth.ts';
import { BY_TEST, createApi, createService, type Service } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

/** Makes, disables and deletes; tokens are asked for at two other processes on the same database. */
let maker: Postern;
let processes: PosternProcess[] = [];
let audience: string;
let verifier: Service;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  audience = await createApi(maker, ['read', 'introspect']);
  verifier = await createService(maker, [`${audience}#introspect`]);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const at = (index: number): string => processes[index % processes.length]?.url ?? '';

/** Asks without a pause at both processes, and answers every token that it was given by the time `end` has happened. */
async function askUntil(service: Service, end: () => Promise<unknown>): Promise<string[]> {
  const given: string[] = [];
  let ended = false;
  const workers = Array.from({ length: 8 }, async (_, index) => {
    while (!ended) {
      const { body } = await clientCredentials(at(index), service);
      if (body.access_token) given.push(body.access_token);
    }
  });
  while (given.length < 40) await new Promise((resolve) => setImmediate(resolve));
  await end();
  ended = true;
  await Promise.all(workers);
  return given;
}

async function active(tokens: string[]): Promise<number> {
  const told = await Promise.all(tokens.map((token, index) => introspect(at(index), verifier, token)));
  return told.filter((answer) => answer.active).length;
}

test('S33 no token of a service that was disabled while it asked is active, at whichever process it asked', async () => {
  for (let round = 0; round < 3; round++) {
    const service = await createService(maker, [`${audience}#read`]);
    const given = await askUntil(service, () => maker.parts.serviceAccounts.disable(service.id, BY_TEST));
    expect(await active(given)).toBe(0);
  }
});

test('S33 nor of one that was deleted', async () => {
  for (let round = 0; round < 3; round++) {
    const service = await createService(maker, [`${audience}#read`]);
    const given = await askUntil(service, () => maker.parts.serviceAccounts.remove(service.id, BY_TEST));
    expect(await active(given)).toBe(0);
  }
});
