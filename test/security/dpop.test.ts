import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import {
  athOf,
  createHolder,
  freshNonce,
  type Holder,
  type ProofParts,
  postWithProof,
  proof,
  userinfoWithProof,
} from '../support/dpop.ts';
import { getCode, introspect, postForm, redeem, type TokenAnswer } from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime, resetTime } from '../support/time.ts';

const grant = { grant_type: 'client_credentials' };

let postern: Postern;
let url: string;
let service: Service;
let holder: Holder;
let stranger: Holder;
let person: Person;
let application: Application;
let agent: Agent;

beforeAll(async () => {
  postern = await startPostern();
  url = `${postern.url}/oauth2/token`;
  service = await createService(postern, [`${await createApi(postern, ['read'])}#read`]);
  [holder, stranger] = await Promise.all([createHolder(), createHolder()]);
  person = await createPerson(postern);
  application = await createApplication(postern, { type: 'spa' });
  agent = createAgent(postern.url);
});
afterAll(() => postern.close());

const nonce = () => freshNonce(postern.url, grant, { authorization: service.basic });

function send(dpop: string): Promise<TokenAnswer> {
  return postForm(url, grant, { authorization: service.basic, dpop });
}

async function sendProof(parts: Partial<ProofParts>, by = holder): Promise<TokenAnswer> {
  return send(await proof(by, { url, nonce: await nonce(), ...parts }));
}

const seconds = () => Math.floor(Date.now() / 1000);

function expectRefused(answer: TokenAnswer, error = 'invalid_dpop_proof'): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, error });
  expect(answer.body).not.toHaveProperty('access_token');
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

/** A token for userinfo, bound to the holder's key. */
async function boundToken(): Promise<string> {
  const got = await getCode(agent, application, person);
  const form = {
    grant_type: 'authorization_code',
    code: got.code,
    redirect_uri: application.redirectUri,
    code_verifier: got.verifier,
    client_id: application.clientId,
  };
  const { body } = await postWithProof(url, form, {}, holder);
  expect(body.token_type).toBe('DPoP');
  return String(body.access_token);
}

describe('S46 the nonce', () => {
  test('is asked for where it is missing, made up, or has ended', async () => {
    const good = await nonce();
    expect((await send(await proof(holder, { url, nonce: good }))).status).toBe(200);
    for (const other of [undefined, '', 'made-up', good.slice(0, -1), `${good}x`]) {
      const answer = await sendProof({ nonce: other });
      expectRefused(answer, 'use_dpop_nonce');
      expect(answer.headers.get('dpop-nonce')).toMatch(/^[\w-]{43}$/);
    }
    moveTime(300);
    const late = await send(await proof(holder, { url, nonce: good }));
    expectRefused(late, 'use_dpop_nonce');
    const next = String(late.headers.get('dpop-nonce'));
    expect((await send(await proof(holder, { url, nonce: next }))).status).toBe(200);
    resetTime();
  });

  test('is asked for at userinfo, with the challenge of the scheme', async () => {
    const token = await boundToken();
    const info = `${postern.url}/oauth2/userinfo`;
    const dpop = await proof(holder, { url: info, method: 'GET', token });
    const response = await fetch(info, { headers: { authorization: `DPoP ${token}`, dpop } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^DPoP .*error="use_dpop_nonce".*algs="ES256 /);
    expect(response.headers.get('dpop-nonce')).toMatch(/^[\w-]{43}$/);
    expect((await userinfoWithProof(postern.url, token, holder)).status).toBe(200);
  });

  test('is not used up, and a refused proof costs no code', async () => {
    const got = await getCode(agent, application, person);
    const without = await postForm(
      url,
      {
        grant_type: 'authorization_code',
        code: got.code,
        redirect_uri: application.redirectUri,
        code_verifier: got.verifier,
        client_id: application.clientId,
      },
      { dpop: await proof(holder, { url }) },
    );
    expectRefused(without, 'use_dpop_nonce');
    expect((await redeem(postern.url, application, got)).status).toBe(200);
  });

  test('is asked for without a line in the audit log: nothing was decided yet', async () => {
    const events = () =>
      postern.db.query<{ n: number }>('test-events', 'SELECT count(*)::int AS n FROM audit_event', []);
    const before = await events();
    expectRefused(await sendProof({ nonce: undefined }), 'use_dpop_nonce');
    expect(await events()).toEqual(before);
  });

  test('is good after a restart, and for another process', async () => {
    const given = await nonce();
    const again = await startPostern({ databaseUrl: postern.databaseUrl });
    try {
      const there = `${again.url}/oauth2/token`;
      const answer = await postForm(there, grant, {
        authorization: service.basic,
        dpop: await proof(holder, { url: there, nonce: given }),
      });
      expect(answer.status).toBe(200);
    } finally {
      await again.close({ keepTime: true });
    }
  });
});

test('S54 metadata names the signatures of proofs, and each of them is taken', async () => {
  const response = await fetch(`${postern.url}/.well-known/oauth-authorization-server`);
  const { dpop_signing_alg_values_supported: listed = [] } = (await response.json()) as Record<string, string[]>;
  expect([...listed].sort()).toEqual(['ES256', 'Ed25519', 'EdDSA', 'PS256']);
  for (const alg of listed) {
    const by = await createHolder(alg, 4096);
    const { body } = await sendProof({}, by);
    expect({ alg, type: body.token_type }).toEqual({ alg, type: 'DPoP' });
    expect(await introspect(postern.url, service, String(body.access_token))).toMatchObject({
      cnf: { jkt: by.thumbprint },
    });
  }
});

describe('S44 at the token endpoint', () => {
  test.each<[string, Record<string, unknown>]>([
    ['another method', { htm: 'GET' }],
    ['no method', { htm: undefined }],
    ['another endpoint', { htu: 'http://localhost/oauth2/userinfo' }],
    ['another host', { htu: 'https://attacker.example/oauth2/token' }],
    ['no address', { htu: undefined }],
    ['an address that is a number', { htu: 1 }],
    ['an address that is none', { htu: '/oauth2/token' }],
    ['no jti', { jti: undefined }],
    ['an empty jti', { jti: '' }],
    ['a jti that is no text', { jti: { $ne: 1 } }],
    ['an endless jti', { jti: 'j'.repeat(257) }],
    ['no iat', { iat: undefined }],
    ['an iat that is text', { iat: '1' }],
    ['a nonce that is no text', { nonce: [1] }],
  ])('%s is refused', async (_what, claims) => {
    expectRefused(await sendProof({ claims }));
  });

  test.each([-3_600, -310, 310, 3_600])('an iat %d seconds away is refused, with a good nonce too', async (away) => {
    expectRefused(await sendProof({ claims: { iat: seconds() + away } }));
  });

  test('query and fragment of the address do not count (RFC 9449 section 4.3)', async () => {
    expect((await sendProof({ claims: { htu: `${url}?a=b#c` } })).status).toBe(200);
  });

  test('a jti counts once, with whichever key, and a refused proof does not use it up', async () => {
    const jti = crypto.randomUUID();
    expectRefused(await sendProof({ claims: { jti, htm: 'GET' } }));
    expect((await sendProof({ claims: { jti } })).status).toBe(200);
    expectRefused(await sendProof({ claims: { jti } }), 'invalid_grant');
    expectRefused(await sendProof({ claims: { jti } }, stranger), 'invalid_grant');
  });

  test('a jti is remembered for longer than its nonce lives', async () => {
    const again = await proof(holder, { url, nonce: await nonce() });
    expect((await send(again)).status).toBe(200);
    for (const minutes of [1, 2, 3, 4, 5]) {
      moveTime(60);
      const { status, body } = await send(again);
      expect({ minutes, status }).toEqual({ minutes, status: 400 });
      expect(body).not.toHaveProperty('access_token');
    }
    resetTime();
  });

  test('a signature of another key, a changed one, and two proofs are refused', async () => {
    const good = await nonce();
    const text = await proof(holder, { url, nonce: good });
    expectRefused(await send(await proof(stranger, { url, nonce: good, header: { jwk: holder.jwk } })));
    const [head, body, signature = ''] = text.split('.');
    expectRefused(await send(`${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`));
    expectRefused(await send(`${text}, ${await proof(holder, { url, nonce: good })}`));
  });

  test('every refusal is in the audit log (S90)', async () => {
    expectRefused(await sendProof({ claims: { htm: 'PUT' } }));
    const [event] = await postern.db.query(
      'test-newest-refusal',
      'SELECT action, outcome, reason, client_id FROM audit_event ORDER BY seq DESC LIMIT 1',
      [],
    );
    const client_id = service.clientId;
    expect(event).toEqual({ action: 'token.refuse', outcome: 'denied', reason: 'invalid_dpop_proof', client_id });
  });
});

describe('S44 S45 at userinfo', () => {
  let token: string;
  beforeAll(async () => {
    token = await boundToken();
  });

  const challenged = async (parts: Parameters<typeof userinfoWithProof>[3], error: string, by = holder) => {
    const answer = await userinfoWithProof(postern.url, token, by, parts);
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 401, error });
    expect(answer.headers.get('www-authenticate')).toMatch(new RegExp(`^DPoP .*error="${error}"`));
    expect(JSON.stringify(answer.body)).not.toContain(person.email);
  };

  test('S45 a bound token is no bearer token, with a proof beside it neither', async () => {
    const bearer = { authorization: `Bearer ${token}` };
    const response = await fetch(`${postern.url}/oauth2/userinfo`, { headers: bearer });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await response.text()).not.toContain(person.email);
    await challenged(bearer, 'invalid_token');
  });

  test('another key, method, address, token, and a jti seen before are refused', async () => {
    await challenged({}, 'invalid_token', stranger);
    await challenged({ claims: { htm: 'POST' } }, 'invalid_dpop_proof');
    await challenged({ claims: { htu: url } }, 'invalid_dpop_proof');
    await challenged({ claims: { ath: athOf('another') } }, 'invalid_dpop_proof');
    await challenged({ claims: { ath: undefined } }, 'invalid_dpop_proof');
    await challenged({ claims: { iat: seconds() - 3_600 } }, 'invalid_dpop_proof');
    const jti = crypto.randomUUID();
    expect((await userinfoWithProof(postern.url, token, holder, { claims: { jti } })).status).toBe(200);
    await challenged({ claims: { jti } }, 'invalid_token');
  });

  test('the scheme DPoP without a proof, and a token that is not bound with one, are refused', async () => {
    const headers = { authorization: `DPoP ${token}` };
    const without = await fetch(`${postern.url}/oauth2/userinfo`, { headers });
    expect([400, 401]).toContain(without.status);
    expect(await without.text()).not.toContain(person.email);

    const { body } = await redeem(postern.url, application, await getCode(agent, application, person));
    const plain = String(body.access_token);
    const answer = await userinfoWithProof(postern.url, plain, holder);
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 401, error: 'invalid_token' });
    const bearer = { authorization: `Bearer ${plain}` };
    expect((await userinfoWithProof(postern.url, plain, holder, bearer)).status).toBe(200);
  });
});

describe('S11 a code that is for one key', () => {
  async function redeemBy(key: Holder | undefined, got: { code: string; verifier: string }): Promise<TokenAnswer> {
    if (!key) return redeem(postern.url, application, got);
    const form = {
      grant_type: 'authorization_code',
      code: got.code,
      redirect_uri: application.redirectUri,
      code_verifier: got.verifier,
      client_id: application.clientId,
    };
    return postWithProof(url, form, {}, key);
  }
  const ask = () => getCode(agent, application, person, { dpop_jkt: holder.thumbprint });

  test('is redeemed with that key alone', async () => {
    expect((await redeemBy(holder, await ask())).body.token_type).toBe('DPoP');
    expectRefused(await redeemBy(stranger, await ask()), 'invalid_grant');
    expectRefused(await redeemBy(undefined, await ask()), 'invalid_grant');
  });

  test('is spent by the try with another key, and what the holder gets after that ends', async () => {
    const got = await ask();
    expectRefused(await redeemBy(stranger, got), 'invalid_grant');
    expectRefused(await redeemBy(holder, got), 'invalid_grant');
  });
});

test('S50 a bound token that ended is inactive, and nothing more is said', async () => {
  const { body } = await postWithProof(url, grant, { authorization: service.basic }, holder);
  const token = String(body.access_token);
  expect(await introspect(postern.url, service, token)).toMatchObject({ active: true });
  moveTime(301);
  expect(await introspect(postern.url, service, token)).toEqual({ active: false });
  resetTime();
});
