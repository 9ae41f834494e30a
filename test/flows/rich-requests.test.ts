import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { createDetailWorld, type DetailWorld, PAYMENT_SCHEMA } from '../support/details.ts';
import {
  asClient,
  authorizePath,
  clientCredentials,
  codeOf,
  codeRequest,
  introspect,
  postForm,
  redeem,
  refresh,
} from '../support/oauth.ts';
import { BY_TEST, createService, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let world: DetailWorld;

beforeAll(async () => {
  postern = await startPostern();
  world = await createDetailWorld(postern);
  await until(async () => (await supported())?.includes(world.type) === true);
});
afterAll(() => postern.close());

async function supported(): Promise<string[] | undefined> {
  const response = await fetch(`${postern.url}/.well-known/openid-configuration`);
  const metadata = (await response.json()) as { authorization_details_types_supported?: string[] };
  return metadata.authorization_details_types_supported;
}

const payment = (extra: object = {}) => ({ type: world.type, amount: 12.5, currency: 'EUR', ...extra });

const asking = (details: unknown, extra: Record<string, string> = {}): Record<string, string> => ({
  scope: 'openid offline_access pay',
  prompt: 'consent',
  authorization_details: typeof details === 'string' ? details : JSON.stringify(details),
  ...extra,
});

async function ask(details: unknown, extra: Record<string, string> = {}, agent: Agent = createAgent(postern.url)) {
  const { params, verifier } = codeRequest(world.application, asking(details, extra));
  const page = await agent.get(authorizePath(params));
  return { page, verifier, agent };
}

/** To the consent page, and through it. */
async function allow(details: unknown) {
  const { page, verifier, agent } = await ask(details);
  const consent = await signIn(agent, page, world.person);
  const done = await agent.submit(consent, '/consent');
  return { consent, agent, got: { code: codeOf(done), verifier } };
}

const errorOf = (page: Page) => page.leaves?.searchParams.get('error');

describe('rich authorization requests (RFC 9396)', () => {
  test('S19 a person reads each detail, and the token, its answer and introspection hold what they allowed', async () => {
    const detail = payment({ payee: 'Ann <b>& Sons</b>', urgent: true, items: [{ name: 'One' }, { name: 'Two' }] });
    const { consent, got } = await allow([detail]);
    for (const text of ['Make a payment', 'Amount', '12.5', 'EUR', 'Paid to', 'Ann <b>& Sons</b>', 'At once', 'Yes']) {
      expect(consent.text).toContain(text);
    }
    expect(consent.html).toContain('Ann &lt;b&gt;&amp; Sons&lt;/b&gt;');
    const { status, body } = await redeem(postern.url, world.application, got);
    expect(status).toBe(200);
    expect(body.authorization_details).toEqual([detail]);
    const claims = decodeJwt(body.access_token ?? '');
    expect(claims.authorization_details).toEqual([detail]);
    expect(claims).toMatchObject({ aud: world.audience, scope: 'pay' });
    const seen = await introspect(postern.url, world.application, body.access_token ?? '');
    expect(seen.authorization_details).toEqual([detail]);
    const events = await postern.parts.events.about(world.person.id, 20);
    const granted = events.find(({ action }) => action === 'consent.grant');
    expect(granted?.data).toMatchObject({ authorization_details: [detail] });
  });

  test('S19 the person is asked each time, and prompt=none is no way around it', async () => {
    const { agent } = await allow([payment()]);
    const again = await ask([payment()], { prompt: '', scope: 'openid pay' }, agent);
    expect(again.page.url).toContain('/consent');
    const silent = await ask([payment()], { prompt: 'none', scope: 'openid pay' }, agent);
    expect(errorOf(silent.page)).toBe('consent_required');
  });

  test('S31 a refresh keeps or narrows details, and one that widens them is refused and spends nothing', async () => {
    const [one, two] = [payment(), payment({ amount: 99 })];
    const { got } = await allow([one, two]);
    const first = await redeem(postern.url, world.application, got);
    const token = first.body.refresh_token ?? '';
    for (const wider of [[payment({ amount: 100 })], [one, two, payment({ amount: 1 })]]) {
      const refused = await refresh(postern.url, world.application, token, {
        authorization_details: JSON.stringify(wider),
      });
      expect(refused.body.error).toBe('invalid_authorization_details');
    }
    const narrowed = await refresh(postern.url, world.application, token, {
      authorization_details: JSON.stringify([two]),
    });
    expect(decodeJwt(narrowed.body.access_token ?? '').authorization_details).toEqual([two]);
    const next = await refresh(postern.url, world.application, narrowed.body.refresh_token ?? '');
    expect(next.body.authorization_details).toEqual([one, two]);
  });

  test('S31 at the code, too, nothing wider is given', async () => {
    const { got } = await allow([payment()]);
    const wider = await redeem(postern.url, world.application, got, {
      authorization_details: JSON.stringify([payment({ currency: 'USD' })]),
    });
    expect(wider.body.error).toBe('invalid_authorization_details');
  });

  test('openid-client pushes a request with details, and gets them back', async () => {
    const { application, person } = world;
    const config = await client.discovery(
      new URL(postern.url),
      application.clientId,
      undefined,
      client.ClientSecretBasic(application.secret),
      { execute: [client.allowInsecureRequests] },
    );
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const url = await client.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: application.redirectUri,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...asking([payment()], { resource: world.audience }),
    });
    const agent = createAgent(postern.url);
    const consent = await signIn(agent, await agent.get(url.href), person);
    const { leaves } = await agent.submit(consent, '/consent');
    const tokens = await client.authorizationCodeGrant(config, leaves as URL, { pkceCodeVerifier });
    expect(tokens.authorization_details).toEqual([payment()]);
  });

  test('S32 what was taken from the client, or no longer fits its type, is in no new token', async () => {
    const own = await createDetailWorld(postern);
    const { access, applications } = postern.parts;
    const before = world;
    world = own;
    try {
      await until(async () => (await supported())?.includes(own.type) === true);
      const { got } = await allow([payment({ payee: 'Ann' })]);
      const first = await redeem(postern.url, own.application, got);
      expect(first.body.authorization_details).toHaveLength(1);
      const set = (types: string[]) =>
        applications.setProtocol(own.application.clientId, { authorizationDetailTypes: types }, BY_TEST);
      await set([]);
      const refreshed = await refreshedUntil(own, first.body.refresh_token, (details) => details === undefined);
      await set([own.type]);
      const { payee: _payee, ...properties } = PAYMENT_SCHEMA.properties;
      const api = (await access.apis.list({ search: own.audience })).items[0];
      const schema = JSON.stringify({ ...PAYMENT_SCHEMA, properties });
      const again = await refreshedUntil(own, refreshed, (details) => details !== undefined);
      await access.detailTypes.update(
        api?.id ?? '',
        { type: own.type, description: 'Make a payment', schema },
        BY_TEST,
      );
      await refreshedUntil(own, again, (details) => details === undefined);
    } finally {
      world = before;
    }
  });

  /** Notifications arrive a moment after the change. */
  async function refreshedUntil(
    { application }: DetailWorld,
    token: string | undefined,
    right: (details: unknown) => boolean,
  ): Promise<string> {
    let last = token ?? '';
    await until(async () => {
      const { status, body } = await refresh(postern.url, application, last);
      expect(status).toBe(200);
      last = body.refresh_token ?? '';
      return right(body.authorization_details);
    });
    return last;
  }

  test.each<[string, () => unknown, Record<string, string>?]>([
    ['no JSON', () => '{'],
    ['no list', () => ({ type: world.type })],
    ['a list of texts', () => ['payment']],
    ['no type', () => [{ amount: 1 }]],
    ['a type that nobody knows', () => [{ type: 'unknown' }]],
    ['__proto__ as a type', () => '[{"type":"__proto__"}]'],
    ['a type that is another client’s', () => [{ type: world.otherType, amount: 1, currency: 'EUR' }]],
    ['a field too many', () => [payment({ evil: 1 })]],
    ['__proto__ as a field', () => `[{"type":"${world.type}","amount":1,"currency":"EUR","__proto__":{"a":1}}]`],
    ['a field too few', () => [{ type: world.type, amount: 1 }]],
    ['a text for a number', () => [payment({ amount: '1' })]],
    ['a number out of range', () => [payment({ amount: 10_001 })]],
    ['a word that is not listed', () => [payment({ currency: 'GBP' })]],
    ['text that turns around on the page', () => [payment({ payee: 'a\u202eb' })]],
    ['a line break', () => [payment({ payee: 'a\nb' })]],
    ['too many items', () => [payment({ items: [{}, {}, {}, {}] })]],
    ['an item with a field too many', () => [payment({ items: [{ x: 1 }] })]],
    ['another API as location', () => [payment({ locations: ['https://elsewhere.example.com'] })]],
    ['more than ten', () => Array.from({ length: 11 }, () => payment())],
    ['more than 4 KiB', () => [payment({ payee: 'x'.repeat(5000) })]],
    ['deeper than any type', () => `[{"type":"${world.type}","items":${'['.repeat(50)}${']'.repeat(50)}}]`],
    ['no permission of its API', () => [payment()], { scope: 'openid' }],
    ['another resource', () => [payment()], { resource: 'https://elsewhere.example.com' }],
  ])('S92 %s is refused before anybody is asked', async (_what, details, extra = {}) => {
    const { page } = await ask(details(), extra);
    expect(errorOf(page)).toBe('invalid_authorization_details');
    expect(page.leaves?.searchParams.get('error_description')).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/);
    const { form, headers } = asClient(world.application);
    const { params } = codeRequest(world.application, asking(details(), extra));
    const pushed = await postForm(`${postern.url}/oauth2/par`, { ...params, ...form }, headers);
    expect([pushed.status, pushed.body.error]).toEqual([400, 'invalid_authorization_details']);
  });

  test('S13 S92 doubled, empty and huge parameters', async () => {
    const { params } = codeRequest(world.application, asking([payment()]));
    const { headers } = asClient(world.application);
    const push = (pairs: [string, string][]) => postForm(`${postern.url}/oauth2/par`, pairs, headers);
    const twice = await push([...Object.entries(params), ['authorization_details', '[]']]);
    expect([twice.status, twice.body.error]).toEqual([400, 'invalid_request']);
    const huge = await push([...Object.entries(params), ['authorization_details', 'x'.repeat(1 << 20)]]);
    expect(huge.status).toBeGreaterThanOrEqual(400);
    expect(huge.status).toBeLessThan(500);
    const none = await push(Object.entries({ ...params, authorization_details: '[]' }));
    expect(none.status).toBe(201);
  });

  test('S18 services, which nobody allows anything for, get no details', async () => {
    const service = await createService(postern, [`${world.audience}#pay`]);
    const { status, body } = await clientCredentials(postern.url, service, {
      authorization_details: JSON.stringify([payment()]),
    });
    expect([status, body.error]).toEqual([400, 'invalid_authorization_details']);
  });
});
