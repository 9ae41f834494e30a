import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Agent, createAgent } from '../support/browserless.ts';
import { createHolder, freshNonce, postWithProof, proof } from '../support/dpop.ts';
import { createChain, exchange } from '../support/exchange.ts';
import {
  asClient,
  authorizePath,
  clientCredentials,
  codeOf,
  codeRequest,
  postForm,
  redeem,
  refresh,
  type TokenAnswer,
} from '../support/oauth.ts';
import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  createService,
  type Person,
  type Service,
  signIn,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { bear, startIssuer } from '../support/workload-issuer.ts';

/**
 * What each flow may ask of PostgreSQL, client and keys being known already. `all`: statements. `awaited`: how often the
 * flow has to wait, statements that are under way at the same time counting once. More of either fails; where a change
 * needs fewer, lower the number here.
 */
const MOST = {
  clientCredentials: { all: 1, awaited: 1 },
  /** With a DPoP proof: its jti is claimed before anything is issued. */
  clientCredentialsBound: { all: 2, awaited: 2 },
  refreshBound: { all: 4, awaited: 4 },
  userinfoBound: { all: 2, awaited: 2 },
  /** Subject token, person and grant in one; then the row with its event. */
  tokenExchange: { all: 2, awaited: 2 },
  jwtBearer: { all: 2, awaited: 2 },
  introspectJwt: { all: 1, awaited: 1 },
  introspectOpaque: { all: 1, awaited: 1 },
  /** The row and its event in one. */
  revoke: { all: 1, awaited: 1 },
  signIn: { all: 12, awaited: 12 },
  authorize: { all: 5, awaited: 5 },
  codeExchange: { all: 3, awaited: 3 },
  userinfo: { all: 1, awaited: 1 },
  refresh: { all: 3, awaited: 3 },
};

/** What the product does on its own, whoever asks. */
const BACKGROUND = /^lease\.|^use\.|^clean\.|^signing-key|^detail-types$|^(?:UN)?LISTEN\b/;
/** Long enough for what a flow leaves behind to be sent. */
const SETTLED_MS = 50;

interface Count {
  all: number;
  awaited: number;
  underWay: number;
  statements: string[];
}

const realQuery = pg.Client.prototype.query;
let counting: Count | undefined;

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  const { name, text = '' } = (statement ?? {}) as { name?: string; text?: string };
  return (name ?? text).replace(/\s+/g, ' ').slice(0, 120);
}

function query(this: pg.Client, ...values: unknown[]): unknown {
  const text = textOf(values[0]);
  const current = counting;
  if (!current || BACKGROUND.test(text)) return Reflect.apply(realQuery, this, values);
  current.all += 1;
  if (current.underWay === 0) current.awaited += 1;
  current.statements.push(text);
  current.underWay += 1;
  const done = () => {
    current.underWay -= 1;
  };
  const callback = values.at(-1);
  if (typeof callback === 'function') {
    // As the pool calls it.
    values[values.length - 1] = (...results: unknown[]) => {
      done();
      Reflect.apply(callback, undefined, results);
    };
    return Reflect.apply(realQuery, this, values);
  }
  const result = Reflect.apply(realQuery, this, values) as unknown as Promise<unknown>;
  result.then(done, done);
  return result;
}

/** Runs the flow, and answers what it answered. */
async function within<T>(most: { all: number; awaited: number }, flow: () => Promise<T>): Promise<T> {
  const counted: Count = { all: 0, awaited: 0, underWay: 0, statements: [] };
  counting = counted;
  try {
    const answer = await flow();
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    if (counted.all > most.all || counted.awaited > most.awaited) {
      const list = counted.statements.map((text) => `\n  ${text}`).join('');
      throw new Error(
        `${counted.all} statements, waited for ${counted.awaited} times; at most ${most.all} and ${most.awaited}:${list}`,
      );
    }
    expect(counted.all).toBeGreaterThan(0);
    return answer;
  } finally {
    counting = undefined;
  }
}

describe('statements', () => {
  let postern: Postern;
  let service: Service;
  let application: Application;
  let person: Person;
  let agent: Agent;
  let tokens: TokenAnswer['body'];

  beforeAll(async () => {
    pg.Client.prototype.query = query as typeof realQuery;
    postern = await startPostern();
    const audience = await createApi(postern, ['read']);
    service = await createService(postern, [`${audience}#read`]);
    application = await createApplication(postern);
    person = await createPerson(postern);
    agent = createAgent(postern.url);
    // What the schedule would do in the midst of a flow.
    await postern.parts.keys.maintain();
    await everythingTold();
    // What is read once and then kept is not part of a flow: clients, and the statements that connections prepare.
    await warm(service);
    await agent.get(authorizePath(codeRequest(application).params));
    agent = createAgent(postern.url);
  });

  afterAll(async () => {
    pg.Client.prototype.query = realQuery;
    await postern.close();
  });

  /** Notifications come in order: when this one has come, nothing that was changed before is still to be told of. */
  async function everythingTold(): Promise<void> {
    const told = Promise.withResolvers<void>();
    const stop = await postern.db.listen('everything_told', () => told.resolve());
    await postern.db.notify('everything_told', '');
    await told.promise;
    await stop();
  }

  /** Until the client is kept in memory: the notification of its own making may still be on its way. */
  async function warm(client: Service): Promise<void> {
    for (let calm = 0, tries = 0; calm < 3 && tries < 50; tries++) {
      const counted: Count = { all: 0, awaited: 0, underWay: 0, statements: [] };
      counting = counted;
      await clientCredentials(postern.url, client);
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
      counting = undefined;
      calm = counted.statements.includes('client-find') ? 0 : calm + 1;
    }
  }

  const about = (client: { clientId: string; secret: string }, path: string, token: string | undefined) =>
    postForm(`${postern.url}/oauth2/${path}`, { token: token ?? '' }, asClient(client).headers);

  test('of client_credentials', async () => {
    const { status } = await within(MOST.clientCredentials, () => clientCredentials(postern.url, service));
    expect(status).toBe(200);
  });

  test.each([{ signingAlg: 'EdDSA' }, { signingAlg: 'RS256' }, { tokenFormat: 'opaque' }] as const)(
    'of client_credentials for an API with %j, and of introspecting that',
    async (form) => {
      const audience = `urn:example:${Object.values(form)}`;
      const permissions = [{ name: 'read' }];
      await postern.parts.access.apis.create({ audience, permissions, ...form }, BY_TEST);
      const caller = await createService(postern, [`${audience}#read`]);
      await everythingTold();
      await warm(caller);
      const { body } = await within(MOST.clientCredentials, () => clientCredentials(postern.url, caller));
      const told = await within(MOST.introspectJwt, () => about(caller, 'introspect', body.access_token));
      expect(told.body).toMatchObject({ active: true, aud: audience });
    },
  );

  test('of a JWT-bearer grant for a workload, its token counting once', async () => {
    const platform = await startIssuer('ES256');
    const audience = 'urn:example:workload';
    const jwks = { keys: platform.publicKeys() };
    const ci = {
      preset: 'custom',
      name: 'ci',
      issuer: platform.url,
      subject: 'ci',
      audience,
      keys: 'jwks',
      jwks,
    } as const;
    await postern.parts.workloadTrusts.create(service.id, ci, BY_TEST);
    await everythingTold();
    const token = () =>
      platform.sign({
        iss: platform.url,
        sub: 'ci',
        aud: audience,
        jti: crypto.randomUUID(),
        iat: Math.floor(Date.now() / 1000),
        exp: Math.floor(Date.now() / 1000) + 60,
      });
    await bear(postern.url, await token());
    await warm(service);
    const assertion = await token();
    const { status } = await within(MOST.jwtBearer, () => bear(postern.url, assertion));
    expect(status).toBe(200);
    await platform.close();
  });

  test('of introspecting and revoking a JWT', async () => {
    const { body } = await clientCredentials(postern.url, service);
    const told = await within(MOST.introspectJwt, () => about(service, 'introspect', body.access_token));
    expect(told.body.active).toBe(true);
    const { status } = await within(MOST.revoke, () => about(service, 'revoke', body.access_token));
    expect(status).toBe(200);
    expect((await about(service, 'introspect', body.access_token)).body.active).toBe(false);
  });

  test("of exchanging a service's token, and a person's", async () => {
    const chain = await createChain(postern, 2);
    const [front = '', next = ''] = chain.apis;
    const [caller = service] = chain.services;
    const subject = await createService(postern, [`${front}#read`, `${next}#read`]);
    const own = (await clientCredentials(postern.url, subject, { resource: front })).body.access_token ?? '';
    const persons = await chain.personToken();
    await everythingTold();
    for (const token of [own, persons]) {
      // Three clients take part: the caller, the one that holds the token, the one that it began at.
      expect((await exchange(postern.url, caller, token, next)).status).toBe(200);
      const answer = await within(MOST.tokenExchange, () => exchange(postern.url, caller, token, next));
      expect(answer.body.scope).toMatch(/^read/);
    }
  });

  test('of a whole sign-in, from the authorization request to the code', async () => {
    const { params } = codeRequest(application);
    // The application is kept for half a minute: on a slow machine that may have passed since the beginning.
    await createAgent(postern.url).get(authorizePath(codeRequest(application).params));
    const code = await within(MOST.signIn, async () =>
      codeOf(await signIn(agent, await agent.get(authorizePath(params)), person)),
    );
    expect(code).not.toBe('');
  });

  test('of a silent authorization and the exchange of its code', async () => {
    const { params, verifier } = codeRequest(application);
    const code = await within(MOST.authorize, async () => codeOf(await agent.get(authorizePath(params))));
    const answer = await within(MOST.codeExchange, () => redeem(postern.url, application, { code, verifier }));
    expect(answer.status).toBe(200);
    tokens = answer.body;
  });

  test('of userinfo and of introspecting an opaque token', async () => {
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const { status } = await within(MOST.userinfo, () => fetch(`${postern.url}/oauth2/userinfo`, { headers }));
    expect(status).toBe(200);
    const told = await within(MOST.introspectOpaque, () => about(application, 'introspect', tokens.access_token));
    expect(told.body.active).toBe(true);
  });

  test('of a refresh', async () => {
    const answer = await within(MOST.refresh, () => refresh(postern.url, application, tokens.refresh_token ?? ''));
    expect(answer.status).toBe(200);
  });

  test('of what is bound to a key by DPoP', async () => {
    const grant = { grant_type: 'client_credentials' };
    const holder = await createHolder();
    const url = `${postern.url}/oauth2/token`;
    const nonce = await freshNonce(postern.url, grant, { authorization: service.basic });
    const ask = async () =>
      postForm(url, grant, { authorization: service.basic, dpop: await proof(holder, { url, nonce }) });
    expect((await within(MOST.clientCredentialsBound, ask)).body.token_type).toBe('DPoP');

    const { params, verifier } = codeRequest(application);
    const code = codeOf(await agent.get(authorizePath(params)));
    const { headers } = asClient(application);
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier };
    const { redirectUri: redirect_uri } = application;
    const got = await postWithProof(url, { ...form, redirect_uri }, headers, holder);
    const token = String(got.body.access_token);
    const info = `${postern.url}/oauth2/userinfo`;
    const told = await within(MOST.userinfoBound, async () => {
      const dpop = await proof(holder, { url: info, method: 'GET', nonce, token });
      return fetch(info, { headers: { authorization: `DPoP ${token}`, dpop } });
    });
    expect(told.status).toBe(200);
    const again = { grant_type: 'refresh_token', refresh_token: String(got.body.refresh_token) };
    const next = await within(MOST.refreshBound, () => postWithProof(url, again, headers, holder, { nonce }));
    expect(next.body.token_type).toBe('DPoP');
  });
});
