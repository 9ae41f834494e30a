import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { authorizePath, codeRequest, getCode, redeem } from '../support/oauth.ts';
import { type Application, createApplication, createPerson, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { createSigningApplication, pushed, requestObject, setProtocol } from '../support/requests.ts';

let postern: Postern;
let person: Person;
let application: Application;
let plain: Application;
/** Signed in before the first test. */
let agent: Agent;
let keys: ReturnType<typeof createLocalJWKSet>;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  plain = await createApplication(postern);
  application = await createApplication(postern);
  await setProtocol(postern, application.clientId, { signedResponses: true });
  agent = createAgent(postern.url);
  await getCode(agent, plain, person);
  keys = createLocalJWKSet((await (await fetch(`${postern.url}/oauth2/jwks`)).json()) as JSONWebKeySet);
});
afterAll(() => postern.close());

/** What a JWT of JARM section 2.1 says, verified as a client does. */
async function read(response: string | null | undefined, clientId: string): Promise<JWTPayload> {
  const options = { issuer: postern.url, audience: clientId, algorithms: ['ES256'], requiredClaims: ['exp'] };
  const { payload } = await jwtVerify(String(response), keys, options);
  expect(Number(payload.exp) - Date.now() / 1000).toBeLessThanOrEqual(600);
  return payload;
}

const inQuery = (page: Page) => page.leaves?.searchParams.get('response');

test.each(['none named', 'jwt', 'query.jwt', 'query'])(
  'S12 S21 response_mode %s: the answer is one JWT',
  async (mode) => {
    const extra: Record<string, string> = mode === 'none named' ? {} : { response_mode: mode };
    const { params, verifier } = codeRequest(application, extra);
    const page = await agent.get(authorizePath(params));
    expect([...(page.leaves?.searchParams.keys() ?? [])]).toEqual(['response']);
    const payload = await read(inQuery(page), application.clientId);
    expect(payload).toMatchObject({ state: params.state, code: expect.any(String) });
    expect((await redeem(postern.url, application, { code: String(payload.code), verifier })).status).toBe(200);
  },
);

test('S21 in the fragment and by a form it is signed as well', async () => {
  const fragment = await agent.get(authorizePath(codeRequest(application, { response_mode: 'fragment.jwt' }).params));
  const hash = new URLSearchParams(fragment.leaves?.hash.slice(1));
  expect([...hash.keys()]).toEqual(['response']);
  expect(await read(hash.get('response'), application.clientId)).toHaveProperty('code');
  const form = await agent.get(authorizePath(codeRequest(application, { response_mode: 'form_post.jwt' }).params));
  expect(await read(form.forms[0]?.fields.response, application.clientId)).toHaveProperty('code');
  expect(form.html).not.toMatch(/name="code"/);
});

test.each<[string, Record<string, string>, string]>([
  ['a refused scope', { scope: 'openid groups' }, 'invalid_scope'],
  ['prompt=none without a session', { prompt: 'none' }, 'login_required'],
  ['an undeclared response_mode', { response_mode: 'web_message' }, 'unsupported_response_mode'],
  ['a plain response_mode', { response_mode: 'fragment' }, 'invalid_request'],
  ['a plain form', { response_mode: 'form_post' }, 'invalid_request'],
  ['no PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
])('S12 S21 %s: the refusal is signed', async (_name, extra, error) => {
  const who = createAgent(postern.url);
  const page = await who.get(authorizePath(codeRequest(application, extra).params));
  const hash = new URLSearchParams(page.leaves?.hash.slice(1));
  const response = inQuery(page) ?? hash.get('response') ?? page.forms[0]?.fields.response;
  expect(await read(response, application.clientId)).toMatchObject({ error, iss: postern.url });
  expect(page.leaves?.searchParams.has('error') ?? false).toBe(false);
});

test('S21 S25 a request object that does not verify changes nothing about how it is answered', async () => {
  const by = await createSigningApplication(postern);
  await setProtocol(postern, by.clientId, { signedResponses: true });
  const { params } = codeRequest(by, { response_mode: 'query' });
  const object = await requestObject(by, params, { claims: { aud: 'https://other.example.com' } });
  const page = await agent.get(authorizePath({ ...params, request: object }));
  expect(await read(inQuery(page), by.clientId)).toMatchObject({ error: 'invalid_request_object' });
});

test('pushed requests are answered in the same way', async () => {
  const { path, params } = await pushed(postern.url, application);
  expect(await read(inQuery(await agent.get(path)), application.clientId)).toMatchObject({ state: params.state });
});

test.each(['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'web_message', 'web_message.jwt', 'anything', ''])(
  'S21 without the switch response_mode "%s" is refused, in the plain form',
  async (mode) => {
    const page = await agent.get(authorizePath(codeRequest(plain, { response_mode: mode }).params));
    const seen = `${page.leaves?.href ?? ''} ${JSON.stringify(page.forms)}`;
    if (mode === '') return expect(seen).not.toMatch(/response=/);
    expect(seen).toMatch(/unsupported_response_mode|invalid_request/);
    expect(seen).not.toMatch(/[?&#]code=|response=|"response"/);
  },
);
