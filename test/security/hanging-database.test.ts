import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { createAgent } from '../support/browserless.ts';
import { copyTemplate } from '../support/database.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import {
  asClient,
  authorizePath,
  clientCredentials,
  codeRequest,
  getCode,
  introspect,
  postForm,
  redeem,
  refresh,
} from '../support/oauth.ts';
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
import { until } from '../support/until.ts';

/** Milliseconds for which a statement is waited for: the product's own limit, set lower in the database's address. */
const LIMIT = 1_500;
/** What one process works on at the same time (src/app.ts), and some more. */
const AT_ONCE = 2_000;
const TOO_MANY = 100;
const BEFORE = 200;

let postern: Postern;
let database: { url: string; drop(): Promise<void> };
let proxy: DatabaseProxy;
let service: Service;
let gateway: Service;
let person: Person;
let application: Application;

beforeAll(async () => {
  database = await copyTemplate();
  proxy = await startDatabaseProxy(database.url);
  const limited = new URL(proxy.url);
  limited.searchParams.set('query_timeout', String(LIMIT));
  postern = await startPostern({ databaseUrl: limited.href });
  const audience = await createApi(postern, ['read']);
  service = await createService(postern, [`${audience}#read`]);
  gateway = await createService(postern);
  person = await createPerson(postern);
  application = await createApplication(postern);
});
afterAll(async () => {
  proxy.release();
  await postern.close();
  await proxy.cut();
  await database.drop();
});

/** Of the tokens that were given, those that have not exactly one row and exactly one event. */
async function spoiled(tokens: string[]): Promise<string[]> {
  const jtis = tokens.map((token) => String(decodeJwt(token).jti));
  expect(new Set(jtis).size).toBe(tokens.length);
  const rows = await postern.db.query<{ jti: string }>(
    'test-spoiled',
    `SELECT g.jti FROM unnest($1::text[]) g(jti)
       LEFT JOIN (SELECT jti, count(*) AS count FROM token GROUP BY jti) r ON r.jti = g.jti
       LEFT JOIN (SELECT t->>'jti' AS jti, count(*) AS count
                    FROM audit_event e, jsonb_array_elements(e.data->'tokens') t
                   WHERE e.action = 'token.issue' GROUP BY 1) e ON e.jti = g.jti
      WHERE r.count IS DISTINCT FROM 1 OR e.count IS DISTINCT FROM 1`,
    [jtis],
  );
  return rows.map(({ jti }) => jti);
}

async function well(): Promise<void> {
  await until(async () => (await clientCredentials(postern.url, service)).status === 200, 10);
  await until(async () => (await fetch(`${postern.url}/readyz`)).status === 200, 10);
}

describe('a database that hangs', () => {
  test('S93 everybody is refused in the end, with a time to try again, and all is well once it goes on', async () => {
    const browser = createAgent(postern.url);
    const { body: own } = await redeem(postern.url, application, await getCode(browser, application, person));
    const token = String((await clientCredentials(postern.url, service)).body.access_token);
    const visitor = createAgent(postern.url);
    const page = await visitor.get(authorizePath(codeRequest(application).params));
    const [form] = page.forms.filter(({ inputs }) => inputs.includes('password'));
    expect(form).toBeDefined();

    proxy.hold();
    const endpoints = {
      token: clientCredentials(postern.url, service),
      'token of a client that is not in the cache': clientCredentials(postern.url, { ...service, clientId: 'svc_new' }),
      refresh: refresh(postern.url, application, String(own.refresh_token)),
      introspection: postForm(`${postern.url}/oauth2/introspect`, { token }, asClient(service).headers),
      revocation: postForm(`${postern.url}/oauth2/revoke`, { token }, asClient(gateway).headers),
      userinfo: fetch(`${postern.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${own.access_token}` } }),
      'authorization request': createAgent(postern.url).get(authorizePath(codeRequest(application).params)),
      'sign-in page': visitor.clone().get(page.url),
      password: visitor
        .clone()
        .post(form?.action ?? '', { ...form?.fields, login: person.email, password: person.password }),
      readiness: fetch(`${postern.url}/readyz`),
    };
    // Nothing of this is answered yet, and whoever needs no database is.
    const first = await Promise.race([
      ...Object.values(endpoints).map((answer) => answer.then(() => 'one that needs the database')),
      fetch(`${postern.url}/healthz`).then(({ status }) => status),
    ]);
    expect(first).toBe(200);

    const answers = await Promise.all(
      Object.entries(endpoints).map(async ([name, answer]) => {
        const { status, headers } = await answer;
        return [name, { status, tryAgain: /^[1-9]\d*$/.test(headers.get('retry-after') ?? '') }];
      }),
    );
    expect(Object.fromEntries(answers)).toEqual(
      Object.fromEntries(Object.keys(endpoints).map((name) => [name, { status: 503, tryAgain: true }])),
    );

    proxy.release();
    await well();
    expect(await introspect(postern.url, service, token)).toMatchObject({ active: true });
    const given = (await clientCredentials(postern.url, service)).body.access_token;
    expect(await spoiled([token, String(given)])).toEqual([]);
    // The same browser goes on where it was.
    expect((await visitor.get(page.url)).status).toBe(200);
  });

  test('more requests than a process works on are refused at once; nothing that was given out is lost or doubled', async () => {
    // With the product's own limit: nobody is given up while the others are still being sent.
    const patient = await startPostern({ databaseUrl: proxy.url });
    const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
    const answers: { status: number; tryAgain: string; token?: string }[] = [];
    const given = () => answers.flatMap(({ token = [] }) => token);
    /** Refused because too much is under way; who waited for the database in vain is told another time. */
    const busy = () => answers.filter(({ status, tryAgain }) => status === 503 && tryAgain === '1');
    const body = new URLSearchParams({ grant_type: 'client_credentials' }).toString();
    const headers = { ...asClient(service).headers, 'content-type': 'application/x-www-form-urlencoded' };
    function ask(): Promise<void> {
      return new Promise((resolve, reject) => {
        request(`${patient.url}/oauth2/token`, { method: 'POST', agent, headers }, (response) => {
          const { statusCode: status = 0, headers: answered } = response;
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => {
            const { access_token: token } = JSON.parse(text) as { access_token?: string };
            const tryAgain = answered['retry-after'] ?? '';
            answers.push({ status, tryAgain, ...(token === undefined ? {} : { token }) });
            resolve();
          });
        })
          .on('error', reject)
          .end(body);
      });
    }

    try {
      // The database stops in the middle of work.
      const before = Promise.all(Array.from({ length: BEFORE }, ask));
      await until(async () => given().length > 0);
      proxy.hold();
      const all = Promise.all(Array.from({ length: AT_ONCE + TOO_MANY }, ask));
      await until(async () => busy().length >= TOO_MANY, 14);
      proxy.release();
      await Promise.all([before, all]);
    } finally {
      proxy.release();
      agent.destroy();
      await patient.close();
    }

    await well();
    const tokens = given();
    // A statement for which a connection was still to be made was not waited for as long as the others.
    const refused = answers.filter(({ status, tryAgain }) => status === 503 && /^[12]$/.test(tryAgain));
    expect(tokens.length + refused.length).toBe(BEFORE + AT_ONCE + TOO_MANY);
    expect(await spoiled(tokens)).toEqual([]);
  });
});
