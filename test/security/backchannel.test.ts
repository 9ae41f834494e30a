import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  askFor,
  type BackchannelWorld,
  CIBA,
  createBackchannelWorld,
  decide,
  openRequest,
  poll,
} from '../support/backchannel.ts';
import { browserOf } from '../support/console.ts';
import { asClient, clientCredentials, introspect, postForm, refresh, type TokenAnswer } from '../support/oauth.ts';
import { BY_TEST, createApplication, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let world: BackchannelWorld;

beforeAll(async () => {
  postern = await startPostern();
});
/** For tests that leave requests behind; the others share one world. */
async function newWorld(): Promise<void> {
  world = await createBackchannelWorld(postern);
}
beforeAll(newWorld);
afterAll(() => postern.close());

async function rowsOf({ person }: BackchannelWorld): Promise<number> {
  const [{ count } = { count: -1 }] = await postern.db.query<{ count: number }>(
    'test-rows',
    `SELECT count(*)::int AS count FROM token WHERE kind = 'BackchannelAuthenticationRequest' AND user_id = $1`,
    [person.id],
  );
  return count;
}

const ENDPOINT = '/oauth2/backchannel_authentication';
const outcome = ({ status, body }: TokenAnswer) => [status, body.error];
const LARGE = 'x'.repeat(1 << 20);
const GOOD_TEXT = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

async function asked(extra: Record<string, string> = {}): Promise<string> {
  const { status, body } = await askFor(postern.url, world, extra);
  expect(status).toBe(200);
  return String(body.auth_req_id);
}

describe('the backchannel endpoint', () => {
  test.each<[string, Record<string, string>, string]>([
    ['no scope', { scope: '' }, 'invalid_request'],
    ['no openid', { scope: 'email' }, 'invalid_request'],
    ['a scope that the client may not have', { scope: 'openid groups' }, 'invalid_scope'],
    ['nobody', { login_hint: '' }, 'invalid_request'],
    ['two ways to name somebody', { id_token_hint: 'x' }, 'invalid_request'],
    ['a token as the hint', { login_hint: '', login_hint_token: 'x' }, 'invalid_request'],
    ['an unknown person', { login_hint: 'nobody@example.com' }, 'unknown_user_id'],
    ['a hint that is too long', { login_hint: `${'x'.repeat(320)}@example.com` }, 'unknown_user_id'],
    ['a hint with NUL', { login_hint: 'a\0b' }, 'unknown_user_id'],
    ['no ID token', { login_hint: '', id_token_hint: 'x.y.z' }, 'invalid_request'],
    ['an unknown resource', { resource: 'https://nowhere.example.com' }, 'invalid_target'],
    ['no URI as resource', { resource: 'x' }, 'invalid_target'],
    ['a message of 65 characters', { binding_message: 'x'.repeat(65) }, 'invalid_binding_message'],
    ['a message of spaces', { binding_message: '   ' }, 'invalid_binding_message'],
    ['a message of two lines', { binding_message: 'a\nb' }, 'invalid_binding_message'],
    ['a message that turns around', { binding_message: 'a\u202eb' }, 'invalid_binding_message'],
    ['no number as expiry', { requested_expiry: 'soon' }, 'invalid_request'],
    ['a negative expiry', { requested_expiry: '-1' }, 'invalid_request'],
    ['half a second', { requested_expiry: '0.5' }, 'invalid_request'],
    [
      'details of a type that it may not ask for',
      { authorization_details: '[{"type":"x"}]' },
      'invalid_authorization_details',
    ],
    ['the claims parameter, which is off', { claims: '{"id_token":{"acr":null}}' }, 'invalid_request'],
    ['no signature in request', { request: 'x' }, 'invalid_request'],
    ['request_uri', { request_uri: 'https://evil.example.com' }, 'request_uri_not_supported'],
  ])('S92 refuses %s', async (_what, extra, error) => {
    const answer = await askFor(postern.url, world, extra);
    expect(outcome(answer)).toEqual([400, error]);
    expect(String(answer.body.error_description ?? '')).toMatch(GOOD_TEXT);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await rowsOf(world)).toBe(0);
  });

  test.each(['scope', 'login_hint', 'binding_message', 'requested_expiry', 'id_token_hint', 'user_code'])(
    'S13 S92 refuses %s when it is doubled or huge',
    async (name) => {
      const { headers } = asClient(world.application);
      const base: [string, string][] = [
        ['scope', 'openid'],
        ['login_hint', world.person.email],
      ];
      const others = base.filter(([known]) => known !== name);
      const twice = await postForm(`${postern.url}${ENDPOINT}`, [...others, [name, '1'], [name, '2']], headers);
      expect(outcome(twice)).toEqual([400, 'invalid_request']);
      const huge = await postForm(`${postern.url}${ENDPOINT}`, [...others, [name, LARGE]], headers);
      expect(huge.status).toBeGreaterThanOrEqual(400);
      expect(huge.status).toBeLessThan(500);
    },
  );

  test('S26 S36 S98 is for clients that prove themselves, by POST', async () => {
    const form = { scope: 'openid', login_hint: world.person.email };
    const wrong = { ...world.application, secret: 'wrong' };
    expect(outcome(await askFor(postern.url, { ...world, application: wrong }))).toEqual([401, 'invalid_client']);
    expect((await postForm(`${postern.url}${ENDPOINT}`, form)).status).toBe(400);
    const get = await fetch(`${postern.url}${ENDPOINT}?${new URLSearchParams(form)}`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('S27 is for clients that an admin switched it on for, and never for public ones', async () => {
    await newWorld();
    const { applications } = postern.parts;
    await applications.setProtocol(world.application.clientId, { backchannelAuthentication: false }, BY_TEST);
    // Told by a notification a moment later; the row decides where there was none.
    const off = await createApplication(postern);
    expect(outcome(await askFor(postern.url, { ...world, application: off }))).toEqual([400, 'invalid_request']);
    const service = await createService(postern);
    const application = { ...off, clientId: service.clientId, secret: service.secret };
    expect(outcome(await askFor(postern.url, { ...world, application }))).toEqual([400, 'invalid_request']);
    const open = await createApplication(postern, { type: 'spa' });
    const change = applications.setProtocol(open.clientId, { backchannelAuthentication: true }, BY_TEST);
    await expect(change).rejects.toMatchObject({ code: 'invalid_input' });
    // A row that came to be by another way is held to it, too.
    await postern.db.query(
      'test-switch',
      `UPDATE client SET settings = '{"backchannelAuthentication":true}' WHERE client_id = $1`,
      [open.clientId],
    );
    expect((await askFor(postern.url, { ...world, application: open })).status).toBe(400);
  });

  test('S90 a flood of prompts ends at five open ones and at twenty in an hour, of one application at three and twelve', async () => {
    await newWorld();
    const { person } = world;
    const others = [
      { ...(await createBackchannelWorld(postern)), person },
      { ...(await createBackchannelWorld(postern)), person },
    ];
    const refused = [400, 'access_denied'];
    /** How many of these at once get through. */
    const flood = async (from: typeof world, count: number) => {
      const answers = await Promise.all(Array.from({ length: count }, () => askFor(postern.url, from)));
      const lost = answers.filter(({ status }) => status !== 200);
      expect(lost.map(outcome)).toEqual(lost.map(() => refused));
      return count - lost.length;
    };
    const [second, third] = others as [typeof world, typeof world];
    expect(await flood(world, 8)).toBe(3);
    // Which leaves room for another one, until five are open.
    expect(await flood(second, 4)).toBe(2);
    expect(await flood(third, 1)).toBe(0);
    for (let round = 0; round < 3; round += 1) {
      moveTime(301);
      expect(await flood(world, 3)).toBe(3);
      expect(await flood(second, 2)).toBe(2);
    }
    moveTime(301);
    expect([await flood(world, 1), await flood(second, 1), await flood(third, 1)]).toEqual([0, 0, 0]);
    const events = await postern.parts.events.about(person.id, 40);
    expect(events.filter(({ action }) => action === 'approval.refuse')).toHaveLength(11);
    moveTime(3600);
    expect((await askFor(postern.url, world)).status).toBe(200);
  });

  test('an application that asked twelve times in an hour leaves the others their turn', async () => {
    await newWorld();
    for (let round = 0; round < 4; round += 1) {
      for (let time = 0; time < 3; time += 1) expect((await askFor(postern.url, world)).status).toBe(200);
      moveTime(301);
    }
    expect(outcome(await askFor(postern.url, world))).toEqual([400, 'access_denied']);
    const another = { ...(await createBackchannelWorld(postern)), person: world.person };
    expect((await askFor(postern.url, another)).status).toBe(200);
  });
});

describe('a poll', () => {
  beforeEach(newWorld);

  test('S92 with a request that is missing, doubled, empty, huge, wrong or somebody else’s', async () => {
    const id = await asked();
    const { headers } = asClient(world.application);
    const send = (pairs: [string, string][]) =>
      postForm(`${postern.url}/oauth2/token`, [['grant_type', CIBA], ...pairs], headers);
    expect(outcome(await send([]))).toEqual([400, 'invalid_request']);
    expect(outcome(await send([['auth_req_id', '']]))).toEqual([400, 'invalid_request']);
    expect(
      outcome(
        await send([
          ['auth_req_id', id],
          ['auth_req_id', id],
        ]),
      ),
    ).toEqual([400, 'invalid_request']);
    expect(outcome(await send([['auth_req_id', 'wrong']]))).toEqual([400, 'invalid_grant']);
    expect((await send([['auth_req_id', LARGE]])).status).toBeLessThan(500);
    const another = await createBackchannelWorld(postern);
    const stolen = await poll(postern.url, another.application, id);
    expect(outcome(stolen)).toEqual([400, 'invalid_grant']);
    // And it neither ends the owner's request nor takes its turn.
    expect(outcome(await poll(postern.url, world.application, id))).toEqual([400, 'authorization_pending']);
    const service = await createService(postern);
    const answer = await clientCredentials(postern.url, service, { grant_type: CIBA, auth_req_id: id });
    expect(answer.status).toBe(400);
  });

  test('S39 an auth_req_id is no code, no refresh token and no access token', async () => {
    const id = await asked();
    await decide(await browserOf(postern, world.person, '/account/approvals'), 'allow');
    expect((await refresh(postern.url, world.application, id)).body.error).toBe('invalid_grant');
    expect(await introspect(postern.url, world.application, id)).toEqual({ active: false });
    const userinfo = await fetch(`${postern.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${id}` } });
    expect(userinfo.status).toBe(401);
    expect((await poll(postern.url, world.application, id)).status).toBe(200);
  });

  test('S18 S31 gets nothing beyond what was asked for, the client may have, and the person holds', async () => {
    const { audience, application } = world;
    const id = await asked({ scope: 'openid read write', resource: audience });
    await decide(await browserOf(postern, world.person, '/account/approvals'), 'allow');
    const { body } = await poll(postern.url, application, id, { scope: 'read write admin', resource: audience });
    expect(body.scope).toBe('read');
  });

  test('waiting for a person leaves no events of refusal', async () => {
    const id = await asked();
    await poll(postern.url, world.application, id);
    await poll(postern.url, world.application, id);
    const [{ count } = { count: -1 }] = await postern.db.query<{ count: number }>(
      'test-count',
      `SELECT count(*)::int AS count FROM audit_event WHERE action = 'token.refuse' AND client_id = $1`,
      [world.application.clientId],
    );
    expect(count).toBe(0);
  });

  test('of an approval and a refusal at once the first counts, and one event is written', async () => {
    const id = await asked();
    const agent = await browserOf(postern, world.person, '/account/approvals');
    const page = await openRequest(agent);
    const decisions = page.forms.filter(({ action }) => /\/(allow|deny)$/.test(action));
    // Each has looked at the open request before any of them may write.
    const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%payload%'`;
    const sent = await postern.db.tx(async (tx) => {
      await tx.$queryRaw`SELECT 1 FROM token WHERE user_id = ${world.person.id}::uuid FOR UPDATE`;
      const all = [...decisions, ...decisions].map((form) => agent.clone().post(form.action, form.fields));
      await until(async () => {
        const [row] = await postern.db.query<{ count: number }>('test-waiting', waiting, []);
        return (row?.count ?? 0) >= all.length;
      });
      return { all };
    });
    const answers = await Promise.all(sent.all);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const events = await postern.parts.events.about(world.person.id, 30);
    expect(events.filter(({ action }) => /^approval\.(allow|deny)$/.test(action))).toHaveLength(1);
    const { status } = await poll(postern.url, world.application, id);
    expect(status).toBe(events.some(({ action }) => action === 'approval.allow') ? 200 : 400);
  });
});
