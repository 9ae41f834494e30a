import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, decodeJwt, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { createAgent } from '../support/browserless.ts';
import { createHolder, postWithProof } from '../support/dpop.ts';
import {
  ACCESS_TOKEN,
  allow,
  type Chain,
  createChain,
  exchange,
  serving,
  TOKEN_EXCHANGE,
} from '../support/exchange.ts';
import {
  asClient,
  clientCredentials,
  getCode,
  introspect,
  postForm,
  redeem,
  type TokenAnswer,
} from '../support/oauth.ts';
import {
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

const JWT = 'urn:ietf:params:oauth:token-type:jwt';

let postern: Postern;
let chain: Chain;
let token: string;
let front: string;
let next: string;
let caller: Service;

beforeAll(async () => {
  postern = await startPostern();
  chain = await createChain(postern, 2, { ttl: 3600 });
  [front = '', next = ''] = chain.apis;
  const [first] = chain.services;
  if (!first) throw new Error('no service');
  caller = first;
  token = await chain.personToken();
});
afterAll(() => postern.close());

const go = (subject: string, extra: Record<string, string> = {}) => exchange(postern.url, caller, subject, next, extra);

const INVALID = {
  status: 400,
  body: { error: 'invalid_request', error_description: 'subject_token is not valid, or not for this client' },
};

function expectInvalid({ status, body, headers }: TokenAnswer): void {
  expect({ status, body }).toEqual(INVALID);
  expect(headers.get('cache-control')).toBe('no-store');
}

/** A key of the installation's own, as nobody outside has it. */
async function ownKey(): Promise<{ key: CryptoKey; kid: string; jwk: JWK }> {
  const { keys } = await postern.parts.keys.jwks();
  const jwk = keys.find(({ alg, use }) => alg === 'ES256' && use === 'sig');
  if (!jwk?.kid) throw new Error('no key');
  return { key: (await importJWK(jwk, 'ES256')) as CryptoKey, kid: jwk.kid, jwk };
}

async function signed(claims: object, header: object = {}): Promise<string> {
  const { key, kid } = await ownKey();
  const protectedHeader = { alg: 'ES256', typ: 'at+jwt', kid, ...header };
  return new SignJWT({ ...claims }).setProtectedHeader(protectedHeader).sign(key);
}

describe('S37 what is no living access token of ours for an API of the caller', () => {
  test('S41 truncated, flipped, made up', async () => {
    const [header = '', claims = '', signature = ''] = token.split('.');
    const flip = (text: string) => `${text.slice(0, 20)}${text[20] === 'A' ? 'B' : 'A'}${text.slice(21)}`;
    const wrong = [
      token.slice(0, -4),
      `${header}.${claims}`,
      `${header}.${claims}.`,
      `${header}.${claims}.${flip(signature)}`,
      `${header}.${flip(claims)}.${signature}`,
      `${flip(header)}.${claims}.${signature}`,
      `${token}.`,
      'e30.e30.e30',
      'x',
      '..',
      '\u0000',
      `jwt:${decodeJwt(token).jti}`,
      String(decodeJwt(token).jti),
      ` ${token}`,
    ];
    for (const one of wrong) expectInvalid(await go(one));
  });

  test('S39 an ID token, a refresh token, a code, a secret, an assertion, a token for userinfo', async () => {
    const agent = createAgent(postern.url);
    const got = await getCode(agent, chain.application, chain.person, { scope: 'openid' });
    const { body } = await redeem(postern.url, chain.application, got);
    const { privateKey } = await generateKeyPair('ES256');
    const assertion = await new SignJWT({ iss: caller.clientId, sub: caller.clientId, aud: postern.url, jti: 'a' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    const wrong = [body.id_token, body.refresh_token, body.access_token, got.code, caller.secret, assertion];
    for (const one of wrong) expectInvalid(await go(String(one)));
    // Not even where its row said that it is for the API.
    await postern.db.query('test-audience', 'UPDATE token SET audience = $1 WHERE user_id = $2 AND audience IS NULL', [
      front,
      chain.person.id,
    ]);
    for (const one of [body.refresh_token, got.code]) expectInvalid(await go(String(one)));
    for (const type of ['id_token', 'refresh_token', 'saml2', 'access_token ']) {
      const answer = await go(token, { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` });
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
    }
  });

  test('S40 alg none, a public key as secret, a key of the sender, another type, issuer or time', async () => {
    const claims = { ...decodeJwt(token) };
    const { kid, jwk } = await ownKey();
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode(claims)}.`;
    const { d: _d, use: _use, ...publicJwk } = jwk;
    const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${encode(claims)}`;
    const confused = [JSON.stringify(publicJwk), String(jwk.x), ''].map(
      (secret) => `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`,
    );
    const pair = await generateKeyPair('ES256', { extractable: true });
    const foreign = { kty: 'EC', crv: 'P-256', x: String(jwk.x), y: String(jwk.y) };
    const own = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, jwk: foreign })
      .sign(pair.privateKey);
    const wrong = [unsigned, ...confused, own];
    wrong.push(await signed(claims, { jwk: foreign }), await signed(claims, { jku: 'https://attacker.example/jwks' }));
    wrong.push(await signed(claims, { x5u: 'https://attacker.example/cert' }), await signed(claims, { typ: 'JWT' }));
    wrong.push(await signed({ ...claims, iss: 'https://attacker.example' }), await signed({ ...claims, exp: 1 }));
    wrong.push(await signed({ ...claims, jti: 'without a row' }), await signed({ ...claims, jti: 1 }));
    for (const one of wrong) expectInvalid(await go(one));
    expect((await go(await signed(claims))).status).toBe(200);
  });

  test('revoked, and of an application or a service account that was disabled', async () => {
    const { form, headers } = asClient(chain.application);
    const revoked = await chain.personToken();
    await postForm(`${postern.url}/oauth2/revoke`, { ...form, token: revoked }, headers);
    expectInvalid(await go(revoked));
    const service = await createService(postern, [`${front}#read`, `${next}#read`]);
    const own = (await clientCredentials(postern.url, service, { resource: front })).body.access_token ?? '';
    expect((await go(own)).body.scope).toBe('read');
    await postern.parts.serviceAccounts.disable(service.id, BY_TEST);
    expectInvalid(await go(own));
  });

  test('for another API, and of one whose service somebody else is', async () => {
    const [, other] = chain.services;
    if (!other) throw new Error('no service');
    await postern.parts.serviceAccounts.setExchangeRules(other.id, [next], BY_TEST);
    expectInvalid(await exchange(postern.url, other, token, next));
    expectInvalid(await exchange(postern.url, other, 'unknown', next));
  });
});

describe('S37 the policy', () => {
  const refused = async (answer: Promise<TokenAnswer>, error: string) => {
    const { status, body } = await answer;
    expect([status, body.error, body.access_token]).toEqual([400, error, undefined]);
    return body.error_description;
  };

  test('no rule, no permission and no such API look alike', async () => {
    const without = await createApi(postern, ['read']);
    const service = await createService(postern, [...serving(front), `${without}#read`, `${next}#read`]);
    await allow(postern, service, next);
    const bare = await createApi(postern, ['read']);
    await allow(postern, service, bare);
    const said = [];
    for (const audience of [without, bare, 'https://nowhere.example', front, 'x', next.toUpperCase(), `${next}/`]) {
      said.push(await refused(exchange(postern.url, service, token, audience), 'invalid_target'));
    }
    expect(new Set(said).size).toBe(1);
    expect((await exchange(postern.url, service, token, next)).status).toBe(200);
    await postern.parts.serviceAccounts.denyExchange(service.id, next, BY_TEST);
    // Other processes hear of it, and so does this one: at once, and yet a moment later.
    await until(async () => (await exchange(postern.url, service, token, next)).body.error === 'invalid_target');
  });

  test('one API at a time', async () => {
    const form = { grant_type: TOKEN_EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN };
    const { headers } = asClient(caller);
    const send = (more: [string, string][]) =>
      postForm(`${postern.url}/oauth2/token`, [...Object.entries(form), ...more], headers);
    for (const more of [
      [],
      [['resource', '']],
      [
        ['resource', next],
        ['audience', next],
      ],
      [
        ['resource', next],
        ['resource', front],
      ],
      [
        ['audience', next],
        ['audience', next],
      ],
    ] as [string, string][][]) {
      await refused(send(more), 'invalid_target');
    }
    expect((await send([['audience', next]])).status).toBe(200);
  });

  test('S18 never a scope beyond the caller, the subject, the subject token or what was asked for', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const audience = await createApi(postern, [...names, 'introspect']);
    const target = await createApi(postern, names);
    const some = () => names.filter(() => Math.random() < 0.7);
    const on = (api: string, held: string[]) => held.map((name) => `${api}#${name}`);
    for (let round = 0; round < 12; round++) {
      const [callers, fronts, subjects, asked] = [some(), some(), some(), some()];
      if (fronts.length === 0) continue;
      const service = await createService(postern, [...serving(audience), ...on(target, callers)]);
      await allow(postern, service, target);
      const subject = await createService(postern, [...on(audience, fronts), ...on(target, subjects)]);
      const own = await clientCredentials(postern.url, subject, { resource: audience });
      const extra: Record<string, string> = asked.length > 0 ? { scope: asked.join(' ') } : {};
      const { body } = await exchange(postern.url, service, own.body.access_token ?? '', target, extra);
      const expected = names.filter((name) =>
        [callers, fronts, subjects, ...(asked.length > 0 ? [asked] : [])].every((list) => list.includes(name)),
      );
      const error = callers.length === 0 ? 'invalid_target' : 'invalid_scope';
      expect(body.error ?? body.scope).toBe(expected.join(' ') || error);
    }
  });

  test('S18 nor beyond what the person holds and, for an application of others, allowed', async () => {
    const [person, audience, target] = await Promise.all([
      createPerson(postern),
      createApi(postern, ['a', 'b', 'c', 'introspect']),
      createApi(postern, ['a', 'b', 'c']),
    ]);
    await grantRole(postern, person, [`${audience}#a`, `${audience}#b`, `${audience}#c`, `${target}#a`, `${target}#b`]);
    const all = ['a', 'b', 'c'].flatMap((name) => [`${audience}#${name}`, `${target}#${name}`]);
    const service = await createService(postern, [...all, ...serving(audience)]);
    await allow(postern, service, target);
    const tokenOf = async (firstParty: boolean, resources: string[]) => {
      const application = await createApplication(postern, { firstParty, permissions: all });
      let got = '';
      for (const resource of resources) {
        const asked = { resource, scope: resource === target ? 'openid a' : 'openid a b c' };
        const { body } = await redeem(
          postern.url,
          application,
          await getCode(createAgent(postern.url), application, person, asked),
        );
        if (resource === audience) got = body.access_token ?? '';
      }
      return { got, application };
    };
    const { got: own } = await tokenOf(true, [audience]);
    expect((await exchange(postern.url, service, own, target)).body.scope).toBe('a b');
    const { got: unasked } = await tokenOf(false, [audience]);
    await refused(exchange(postern.url, service, unasked, target), 'invalid_scope');
    const { got: consented, application } = await tokenOf(false, [audience, target]);
    expect((await exchange(postern.url, service, consented, target)).body.scope).toBe('a');
    await postern.db.query('test-withdraw', 'DELETE FROM consent WHERE user_id = $1 AND client_id = $2', [
      person.id,
      application.clientId,
    ]);
    expectInvalid(await exchange(postern.url, service, consented, target));
  });

  test('never a longer life than that of the subject token, nor than the API gives', async () => {
    const long = await createApi(postern, ['read', 'introspect'], 3600);
    const short = await createApi(postern, ['read'], 60);
    const service = await createService(postern, [
      ...serving(front),
      ...serving(long),
      `${long}#read`,
      `${short}#read`,
    ]);
    await allow(postern, service, long);
    await allow(postern, service, short);
    await grantRole(postern, chain.person, [`${long}#read`, `${short}#read`]);
    const { exp = 0 } = decodeJwt(token);
    const longer = await exchange(postern.url, service, token, long);
    expect(decodeJwt(longer.body.access_token ?? '').exp).toBe(exp);
    const again = await exchange(postern.url, service, longer.body.access_token ?? '', short);
    const claims = decodeJwt(again.body.access_token ?? '');
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(60);
  });

  test('public and web applications may not exchange, and nobody without a proof', async () => {
    const web = await createApplication(postern);
    const spa = await createApplication(postern, { type: 'spa' });
    await refused(exchange(postern.url, web, token, next), 'invalid_request');
    await refused(exchange(postern.url, spa, token, next), 'invalid_request');
    const answer = await exchange(postern.url, { clientId: caller.clientId, secret: 'wrong' }, token, next);
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
  });

  test('no parameter names another subject', async () => {
    const other = await createPerson(postern);
    const extra = {
      sub: other.id,
      user_id: other.id,
      subject: other.id,
      act: '{"sub":"x"}',
      client_id: caller.clientId,
    };
    const { body } = await go(token, extra);
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({ sub: chain.person.id, act: { sub: caller.clientId } });
  });

  test('may_act of the subject token names who may act, and only so much as can be verified', async () => {
    const service = await createService(postern, [`${next}#read`]);
    await allow(postern, service, next);
    const withMayAct = async (mayAct: unknown) => {
      const own = await chain.personToken();
      await postern.db.query(
        'test-may-act',
        `UPDATE token SET payload = jsonb_set(payload, '{extra,may_act}', $2::jsonb) WHERE jti = $1`,
        [decodeJwt(own).jti, JSON.stringify(mayAct)],
      );
      return own;
    };
    expectInvalid(await exchange(postern.url, service, token, next));
    for (const wrong of [{ sub: caller.clientId }, { sub: service.clientId, email: 'x' }, service.clientId, null, {}]) {
      expectInvalid(await exchange(postern.url, service, await withMayAct(wrong), next));
    }
    expectInvalid(
      await exchange(
        postern.url,
        service,
        await withMayAct({ sub: service.clientId, iss: 'https://other.example' }),
        next,
      ),
    );
    const own = await withMayAct({ sub: service.clientId });
    expect((await exchange(postern.url, service, own, next)).status).toBe(200);
  });

  test('S44 the new token is bound to the key of the caller, and a bound one is exchanged for no other', async () => {
    const holder = await createHolder();
    const url = `${postern.url}/oauth2/token`;
    const { headers } = asClient(caller);
    const form = { grant_type: TOKEN_EXCHANGE, subject_token_type: ACCESS_TOKEN, resource: next };
    const { body } = await postWithProof(url, { ...form, subject_token: token }, headers, holder);
    expect(body.token_type).toBe('DPoP');
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({ cnf: { jkt: holder.thumbprint } });

    const own = await chain.personToken();
    await postern.db.query(
      'test-bind',
      `UPDATE token SET payload = payload || '{"jkt":"of the application"}' WHERE jti = $1`,
      [decodeJwt(own).jti],
    );
    await refused(go(own), 'invalid_request');
    const again = await postWithProof(url, { ...form, subject_token: own }, headers, holder);
    expect(decodeJwt(again.body.access_token ?? '')).toMatchObject({ cnf: { jkt: holder.thumbprint } });
  });
});

describe('bad input: always an error of the RFC, never a token', () => {
  const whole = (): Record<string, string> => ({
    grant_type: TOKEN_EXCHANGE,
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
    resource: next,
    scope: 'read',
    requested_token_type: ACCESS_TOKEN,
  });
  const send = (form: [string, string][]) => postForm(`${postern.url}/oauth2/token`, form, asClient(caller).headers);

  test.each(['grant_type', 'subject_token', 'subject_token_type', 'resource'])('%s missing or empty', async (name) => {
    for (const form of [
      Object.entries(whole()).filter(([key]) => key !== name),
      Object.entries({ ...whole(), [name]: '' }),
    ]) {
      const { status, body } = await send(form);
      expect([status, body.access_token]).toEqual([400, undefined]);
      expect(body.error).toBe(name === 'resource' ? 'invalid_target' : 'invalid_request');
    }
  });

  test.each(['grant_type', 'subject_token', 'subject_token_type', 'resource', 'scope', 'requested_token_type'])(
    '%s doubled, of another kind, or 1 MiB',
    async (name) => {
      const twice = await send([...Object.entries(whole()), [name, whole()[name] ?? '']]);
      const other = await send(Object.entries({ ...whole(), [name]: '\u0000{"not":""}\r\n' }));
      const large = await send(Object.entries({ ...whole(), [name]: 'x'.repeat(1_048_576) }));
      for (const { status, body } of [twice, other, large]) {
        expect([400, 413]).toContain(status);
        expect(body.error).toMatch(/^(invalid_request|invalid_target|invalid_scope|unsupported_grant_type)$/);
        expect(body).not.toHaveProperty('access_token');
      }
    },
  );

  test('a requested type that is none of ours', async () => {
    for (const type of ['id_token', 'refresh_token', 'saml2']) {
      const { body } = await go(token, { requested_token_type: `urn:ietf:params:oauth:token-type:${type}` });
      expect(body.error).toBe('invalid_request');
    }
    expect((await go(token, { requested_token_type: JWT })).body).toMatchObject({ issued_token_type: JWT });
    expect((await go(token, { subject_token_type: JWT })).status).toBe(200);
  });
});

test('S37 expired: refused, at the second at which it ends', async () => {
  const own = await chain.personToken();
  const exchanged = (await go(own)).body.access_token ?? '';
  const [, service] = chain.services;
  moveTime((decodeJwt(own).exp ?? 0) - Math.floor(Date.now() / 1000) - 2);
  expect((await go(own)).status).toBe(200);
  moveTime(3);
  expectInvalid(await go(own));
  expect((await introspect(postern.url, service ?? caller, exchanged)).active).toBe(false);
});
