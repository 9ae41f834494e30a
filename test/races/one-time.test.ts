import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { assertion, assertionForm, createSigner } from '../support/assertions.ts';
import { createAgent } from '../support/browserless.ts';
import { createHolder, freshNonce, proof } from '../support/dpop.ts';
import { asClient, codeRequest, getCode, postForm, type TokenAnswer } from '../support/oauth.ts';
import { createApi, createApplication, createPerson } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';
import { createSigningApplication } from '../support/requests.ts';

/** Only makes what the tests need; requests go to the two processes. Races for codes and tokens: two-processes.test.ts. */
let maker: Postern;
let processes: PosternProcess[] = [];
let issuer: string;

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
  issuer = processes[0]?.url ?? '';
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const TRIES = 50;

function everywhere<T>(send: (origin: string, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(
    Array.from({ length: TRIES }, (_, index) => send(processes[index % processes.length]?.url ?? '', index)),
  );
}

function count(answers: { status: number; body: TokenAnswer['body'] }[]): Record<string, number> {
  const said = answers.map(({ status, body }) => `${status}${body.error ? ` ${body.error}` : ''}`);
  return Object.fromEntries(
    [...new Set(said)].sort().map((one) => [one, said.filter((other) => other === one).length]),
  );
}

test("S28 of 50 parallel uses of one service's assertion, at three endpoints, one succeeds", async () => {
  const signer = await createSigner(maker, `${await createApi(maker, ['read'])}#read`);
  const form = assertionForm(await assertion({ ...signer, issuer }));
  const ways: [string, Record<string, string>][] = [
    ['token', { grant_type: 'client_credentials' }],
    ['introspect', { token: 'unknown' }],
    ['revoke', { token: 'unknown' }],
  ];
  const answers = await everywhere((origin, index) => {
    const [path, extra] = ways[index % ways.length] ?? ['token', {}];
    return postForm(`${origin}/oauth2/${path}`, { ...form, ...extra });
  });
  expect(count(answers)).toEqual({ '200': 1, '401 invalid_client': TRIES - 1 });
});

test("S28 of 50 parallel pushes with one application's assertion one succeeds", async () => {
  const application = await createSigningApplication(maker, { use: 'authentication' });
  const form = assertionForm(await assertion({ ...application.signer, issuer }));
  const { params } = codeRequest(application);
  const answers = await everywhere((origin) => postForm(`${origin}/oauth2/par`, { ...params, ...form }));
  expect(count(answers)).toEqual({ '201': 1, '401 invalid_client': TRIES - 1 });
});

test('S44 of 50 parallel uses of one DPoP proof at userinfo one succeeds', async () => {
  const application = await createApplication(maker);
  const holder = await createHolder();
  const { code, verifier } = await getCode(createAgent(issuer), application, await createPerson(maker));
  const form = {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: application.redirectUri,
  };
  const { headers } = asClient(application);
  const nonce = await freshNonce(issuer, form, headers);
  const redeemed = await postForm(`${issuer}/oauth2/token`, form, {
    ...headers,
    dpop: await proof(holder, { url: `${issuer}/oauth2/token`, nonce }),
  });
  const token = String(redeemed.body.access_token);
  const url = `${issuer}/oauth2/userinfo`;
  const dpop = await proof(holder, { url, method: 'GET', nonce, token });
  const answers = await everywhere(async (origin) => {
    const response = await fetch(`${origin}/oauth2/userinfo`, { headers: { authorization: `DPoP ${token}`, dpop } });
    return { status: response.status, body: (await response.json()) as TokenAnswer['body'] };
  });
  expect(count(answers)).toEqual({ '200': 1, '401 invalid_token': TRIES - 1 });
});
