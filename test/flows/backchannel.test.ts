import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import {
  askFor,
  type BackchannelWorld,
  createBackchannelWorld,
  decide,
  openRequest,
  poll,
} from '../support/backchannel.ts';
import { createAgent, type Page } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { createDetailWorld } from '../support/details.ts';
import { getCode, redeem, refresh } from '../support/oauth.ts';
import { BY_TEST, createPerson, signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

let postern: Postern;

beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

const APPROVALS = '/account/approvals';
const approver = ({ person }: BackchannelWorld) => browserOf(postern, person, APPROVALS);

async function asked(world: BackchannelWorld, extra: Record<string, string> = {}): Promise<string> {
  const { status, body } = await askFor(postern.url, world, extra);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return String(body.auth_req_id);
}

describe('approval on another device (CIBA, poll mode)', () => {
  test('openid-client: asked, told by mail, read, allowed, and the tokens say how the person proved themself', async () => {
    const world = await createBackchannelWorld(postern);
    const { application, person, audience } = world;
    const config = await client.discovery(
      new URL(postern.url),
      application.clientId,
      undefined,
      client.ClientSecretBasic(application.secret),
      { execute: [client.allowInsecureRequests] },
    );
    const began = await client.initiateBackchannelAuthentication(config, {
      scope: 'openid email read write',
      resource: audience,
      login_hint: person.email.toUpperCase(),
      binding_message: 'Till 4 <b>',
    });
    expect(began.expires_in).toBe(300);
    const mails = () => postern.logged.filter((line) => String(line.subject).endsWith('asks for your approval'));
    await until(async () => mails().length > 0);

    const agent = await approver(world);
    expect((await agent.get('/account')).text).toContain('1 open');
    const { page, done } = await decide(agent, 'allow');
    for (const text of ['Till 4 <b>', '127.0.0.1', 'May read', 'See your e-mail address']) {
      expect(page.text).toContain(text);
    }
    expect(page.text).not.toContain('May write');
    expect(done.text).toContain('may go on');
    expect((await agent.get('/account')).text).not.toContain('1 open');

    const tokens = await client.pollBackchannelAuthenticationGrant(config, { ...began, interval: 0.01 }, undefined, {});
    expect(tokens.scope).toBe('read');
    expect(tokens.refresh_token).toBeUndefined();
    expect(tokens.claims()).toMatchObject({ sub: person.id, email: person.email, acr: 'urn:postern:aal2' });
    expect(tokens.claims()?.amr).toContain('otp');
    const claims = decodeJwt(tokens.access_token);
    expect(claims).toMatchObject({ sub: person.id, aud: audience, scope: 'read', acr: 'urn:postern:aal2' });
    expect(Number(claims.auth_time)).toBeGreaterThan(Date.now() / 1000 - 60);
    const actions = (await postern.parts.events.about(person.id, 20)).map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['approval.request', 'approval.allow', 'token.issue']));
  });

  test('oauth4webapi: pending, too early, then denied once and for all', async () => {
    const world = await createBackchannelWorld(postern);
    const { application, person } = world;
    const options = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(postern.url);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
    const it: oauth.Client = { client_id: application.clientId };
    const auth = oauth.ClientSecretBasic(application.secret);
    const hint = { scope: 'openid', login_hint: person.email };
    const answer = await oauth.backchannelAuthenticationRequest(as, it, auth, hint, options);
    const { auth_req_id: id } = await oauth.processBackchannelAuthenticationResponse(as, it, answer);
    const ask = async () => {
      const response = await oauth.backchannelAuthenticationGrantRequest(as, it, auth, id, options);
      return oauth.processBackchannelAuthenticationGrantResponse(as, it, response).catch((error: unknown) => error);
    };
    expect(await ask()).toMatchObject({ error: 'authorization_pending' });
    expect(await ask()).toMatchObject({ error: 'slow_down' });
    moveTime(5);
    expect(await ask()).toMatchObject({ error: 'authorization_pending' });
    await decide(await approver(world), 'deny');
    moveTime(5);
    expect(await ask()).toMatchObject({ error: 'access_denied' });
    moveTime(5);
    expect(await ask()).toMatchObject({ error: 'invalid_grant' });
    const events = await postern.parts.events.about(person.id, 20);
    expect(events.map(({ action, outcome }) => [action, outcome])).toContainEqual(['approval.deny', 'denied']);
  });

  test('S19 S20 what was allowed is remembered as consent; taking it back ends the tokens and open requests', async () => {
    const world = await createBackchannelWorld(postern);
    const { application, person, audience } = world;
    const id = await asked(world, { scope: 'openid offline_access read', resource: audience });
    const agent = await approver(world);
    await decide(agent, 'allow');
    const { body } = await poll(postern.url, application, id);
    const renewed = await refresh(postern.url, application, body.refresh_token ?? '');
    expect([renewed.status, renewed.body.scope]).toEqual([200, 'read']);
    const open = await asked(world);
    const applications = await agent.get('/account/applications');
    await agent.submit(applications, '/withdraw');
    const after = await refresh(postern.url, application, renewed.body.refresh_token ?? '');
    expect(after.body.error).toBe('invalid_grant');
    expect((await poll(postern.url, application, open)).body.error).toBe('invalid_grant');
    await expect(openRequest(agent)).rejects.toThrow('nothing is open');
    expect((await postern.parts.consents.list(person.id)).length).toBe(0);
  });

  test('S32 a role that is withdrawn between the approval and the token gives nothing', async () => {
    const world = await createBackchannelWorld(postern);
    const { application, person, audience, role } = world;
    const id = await asked(world, { scope: 'openid read', resource: audience });
    await decide(await approver(world), 'allow');
    await postern.parts.users.unassignRole(person.id, role, BY_TEST);
    const { status, body } = await poll(postern.url, application, id);
    expect([status, body.error]).toEqual([400, 'invalid_scope']);
  });

  test('S32 S78 a person who is disabled between the approval and the token gets none', async () => {
    const world = await createBackchannelWorld(postern);
    const id = await asked(world);
    await decide(await approver(world), 'allow');
    await postern.parts.users.disable(world.person.id, BY_TEST);
    expect((await poll(postern.url, world.application, id)).body.error).toBe('invalid_grant');
    expect((await askFor(postern.url, world)).body.error).toBe('unknown_user_id');
  });

  test('S81 the pages need a second factor of the last five minutes', async () => {
    const world = await createBackchannelWorld(postern);
    const agent = await browserOf(postern, world.person);
    await asked(world);
    const page = await openRequest(agent);
    moveTime(299);
    const form = page.forms.find(({ action }) => action.endsWith('/allow'));
    moveTime(2);
    const late = await agent.post(form?.action ?? '', form?.fields ?? {});
    expect(late.status).toBe(401);
    expect((await agent.get(APPROVALS)).url).toContain('/interaction/');
  });

  test('S83 another person’s request looks like none', async () => {
    const world = await createBackchannelWorld(postern);
    await asked(world);
    const { url } = await openRequest(await approver(world));
    const other = await browserOf(postern, await createPerson(postern), APPROVALS);
    const theirs = await other.get(url);
    const none = await other.get(`${APPROVALS}/01999999-9999-7999-8999-999999999999`);
    const seen = ({ status, text }: Page) => [status, text.replace(/Request id: \S+/, '')];
    expect(seen(theirs)).toEqual(seen(none));
    expect(theirs.status).toBe(410);
  });

  test('a request ends after five minutes, or after what was asked for, ten at the most', async () => {
    const world = await createBackchannelWorld(postern);
    const { body } = await askFor(postern.url, world, { requested_expiry: '3600' });
    expect(body.expires_in).toBe(600);
    const short = await asked(world, { requested_expiry: '30' });
    const agent = await approver(world);
    const page = await openRequest(agent);
    moveTime(31);
    const form = page.forms.find(({ action }) => action.endsWith('/allow'));
    expect((await agent.post(form?.action ?? '', form?.fields ?? {})).status).toBe(410);
    expect((await poll(postern.url, world.application, short)).body.error).toBe('expired_token');
  });

  test('an ID token names its person', async () => {
    const world = await createBackchannelWorld(postern);
    const { application, person } = world;
    const got = await getCode(createAgent(postern.url), application, person);
    const { body } = await redeem(postern.url, application, got);
    const hinted = await askFor(postern.url, world, { login_hint: '', id_token_hint: body.id_token ?? '' });
    expect(hinted.status).toBe(200);
    expect((await openRequest(await approver(world))).status).toBe(200);
    const another = await createBackchannelWorld(postern);
    const foreign = await askFor(postern.url, another, { login_hint: '', id_token_hint: body.id_token ?? '' });
    expect([foreign.status, foreign.body.error]).toEqual([400, 'invalid_request']);
  });

  test('RFC 9396 details are read and allowed there, too', async () => {
    const own = await createDetailWorld(postern, { switches: { backchannelAuthentication: true } });
    const detail = { type: own.type, amount: 3, currency: 'EUR', payee: 'Ann' };
    const params = { scope: 'openid pay', authorization_details: JSON.stringify([detail]) };
    await until(async () => (await askFor(postern.url, own, params)).status === 200);
    const { body } = await askFor(postern.url, own, params);
    const agent = createAgent(postern.url);
    await signIn(agent, await agent.get(APPROVALS), own.person);
    const { page } = await decide(agent, 'allow');
    expect(page.text).toContain('Make a payment');
    const answer = await poll(postern.url, own.application, String(body.auth_req_id));
    expect(answer.body.authorization_details).toEqual([detail]);
  });
});
