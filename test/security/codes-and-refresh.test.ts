import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Agent, createAgent } from '../support/browserless.ts';
import {
  asClient,
  authorizePath,
  codeRequest,
  getCode,
  introspect,
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
  grantRole,
  type Person,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { moveTime } from '../support/time.ts';
import { until } from '../support/until.ts';

let postern: Postern;
let person: Person;
let application: Application;
let agent: Agent;

beforeAll(async () => {
  postern = await startPostern();
  person = await createPerson(postern);
  application = await createApplication(postern);
  agent = createAgent(postern.url);
  await getCode(agent, application, person);
});
afterAll(() => postern.close());

const REFUSED = { status: 400, error: 'invalid_grant' };

function outcome({ status, body }: TokenAnswer): { status: number; error: string | undefined } {
  // A refusal never carries anything beside the error.
  if (status !== 200) expect(Object.keys(body).sort()).toEqual(['error', 'error_description']);
  return { status, error: body.error };
}

const offline = { scope: 'openid offline_access', prompt: 'consent' };

/** Tokens for a person who is signed in, with a refresh token that does not end with the session. */
async function tokens(client = application, extra: Record<string, string> = offline, who = agent, as = person) {
  const got = await getCode(who, client, as, extra);
  const { status, body } = await redeem(postern.url, client, got);
  expect(status).toBe(200);
  return { access: String(body.access_token), refresh: String(body.refresh_token), body };
}

async function userinfoStatus(accessToken: string): Promise<number> {
  const response = await fetch(`${postern.url}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  await response.body?.cancel();
  return response.status;
}

describe('authorization codes', () => {
  test.each<[string, Record<string, string>, string]>([
    ['a missing', {}, 'invalid_grant'],
    ['an empty', { code_verifier: '' }, 'invalid_grant'],
    ['a wrong', { code_verifier: 'w'.repeat(43) }, 'invalid_grant'],
    // Not of the form that RFC 7636 section 4.1 gives it.
    ['a too short', { code_verifier: 'w' }, 'invalid_request'],
    ['a too long', { code_verifier: 'w'.repeat(129) }, 'invalid_request'],
  ])('S7 %s code_verifier is refused', async (_name, change, error) => {
    const got = await getCode(agent, application, person);
    const { form, headers } = asClient(application);
    const common = {
      grant_type: 'authorization_code',
      code: got.code,
      redirect_uri: application.redirectUri,
      ...form,
    };
    const answer = await postForm(`${postern.url}/oauth2/token`, { ...common, ...change }, headers);
    expect(outcome(answer)).toEqual({ status: 400, error });
  });

  test('S7 the challenge itself is no verifier, and the right verifier is one', async () => {
    const got = await getCode(agent, application, person);
    const challenge = String(got.params.code_challenge);
    expect(outcome(await redeem(postern.url, application, { ...got, verifier: challenge }))).toEqual(REFUSED);
    expect((await redeem(postern.url, application, await getCode(agent, application, person))).status).toBe(200);
  });

  test('S8 a code lives for a minute at most', async () => {
    const [row] = await postern.db.query<{ seconds: number }>(
      'test-code-life',
      `SELECT max(extract(epoch FROM expires_at - created_at))::int AS seconds FROM token
       WHERE kind = 'AuthorizationCode'`,
      [],
    );
    expect(row?.seconds).toBeGreaterThan(0);
    expect(row?.seconds).toBeLessThanOrEqual(60);
    const early = await getCode(agent, application, person);
    moveTime(55);
    expect((await redeem(postern.url, application, early)).status).toBe(200);
    const late = await getCode(agent, application, person);
    moveTime(62);
    expect(outcome(await redeem(postern.url, application, late))).toEqual(REFUSED);
  });

  test('S9 a code that comes twice is refused, and what it was exchanged for ends', async () => {
    const got = await getCode(agent, application, person, offline);
    const { body } = await redeem(postern.url, application, got);
    const access = String(body.access_token);
    expect(await introspect(postern.url, application, access)).toMatchObject({ active: true });
    expect(await userinfoStatus(access)).toBe(200);

    expect(outcome(await redeem(postern.url, application, got))).toEqual(REFUSED);

    expect(await introspect(postern.url, application, access)).toEqual({ active: false });
    expect(await introspect(postern.url, application, String(body.refresh_token))).toEqual({ active: false });
    expect(await userinfoStatus(access)).toBe(401);
    expect(outcome(await refresh(postern.url, application, String(body.refresh_token)))).toEqual(REFUSED);
  });

  test('S9 tokens that were refreshed meanwhile end too, for an API as well', async () => {
    const audience = await createApi(postern, ['read']);
    await grantRole(postern, person, [`${audience}#read`]);
    const client = await createApplication(postern, { permissions: [`${audience}#read`] });
    const extra = { scope: 'openid offline_access read', prompt: 'consent', resource: audience };
    const got = await getCode(agent, client, person, extra);
    const first = await redeem(postern.url, client, got, { resource: audience });
    const second = await refresh(postern.url, client, String(first.body.refresh_token), { resource: audience });
    expect(second.status).toBe(200);
    expect(decodeJwt(String(second.body.access_token)).aud).toBe(audience);
    expect(await introspect(postern.url, client, String(second.body.access_token))).toMatchObject({ active: true });

    expect(outcome(await redeem(postern.url, client, got))).toEqual(REFUSED);

    for (const token of [first.body.access_token, second.body.access_token, second.body.refresh_token]) {
      expect(await introspect(postern.url, client, String(token))).toEqual({ active: false });
    }
    expect(outcome(await refresh(postern.url, client, String(second.body.refresh_token)))).toEqual(REFUSED);
    // The rows say so too: admins see them as ended.
    const alive = await postern.db.query<{ kind: string }>(
      'test-alive',
      "SELECT kind FROM token WHERE client_id = $1 AND revoked_at IS NULL AND kind <> 'AuthorizationCode'",
      [client.clientId],
    );
    expect(alive).toEqual([]);
  });

  test('S11 a code works for its own client and its own redirect URI alone', async () => {
    const other = await createApplication(postern);
    const got = await getCode(agent, application, person);
    const stolen = await redeem(postern.url, other, got, { redirect_uri: application.redirectUri });
    expect(outcome(stolen)).toEqual(REFUSED);
    const second = await getCode(agent, application, person);
    const elsewhere = await redeem(postern.url, application, second, { redirect_uri: other.redirectUri });
    expect(outcome(elsewhere)).toEqual(REFUSED);
    const third = await getCode(agent, application, person);
    const { form, headers } = asClient(application);
    const { code, verifier } = third;
    const withoutUri = { grant_type: 'authorization_code', code, code_verifier: verifier, ...form };
    const missing = await postForm(`${postern.url}/oauth2/token`, withoutUri, headers);
    expect(missing.status).toBe(400);
    expect(missing.body).not.toHaveProperty('access_token');
  });

  test.each([
    ['empty', ''],
    ['short', 'x'],
    ['an alias', 'jwt:x'],
    ['a NUL', '\0'],
    ['SQL', "' OR 1=1 --"],
    ['long', 'a'.repeat(5000)],
  ])('S92 a code that never was (%s) is refused without a fault', async (_name, code) => {
    const answer = await redeem(postern.url, application, { code, verifier: 'v'.repeat(43) });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(/^invalid_(grant|request)$/);
  });
});

describe('refresh tokens', () => {
  test('S29 a refresh token that was rotated kills the whole family', async () => {
    const { refresh: first } = await tokens();
    const second = await refresh(postern.url, application, first);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first);
    const third = await refresh(postern.url, application, String(second.body.refresh_token));
    expect(third.status).toBe(200);

    expect(outcome(await refresh(postern.url, application, first))).toEqual(REFUSED);

    expect(outcome(await refresh(postern.url, application, String(third.body.refresh_token)))).toEqual(REFUSED);
    for (const token of [second.body.access_token, third.body.access_token, third.body.refresh_token]) {
      expect(await introspect(postern.url, application, String(token))).toEqual({ active: false });
    }
  });

  test('S29 also after a restart', async () => {
    const databaseUrl = postern.databaseUrl;
    const { refresh: first } = await tokens();
    const second = await refresh(postern.url, application, first);
    const again = await startPostern({ databaseUrl });
    try {
      expect(outcome(await refresh(again.url, application, first))).toEqual(REFUSED);
      expect(outcome(await refresh(again.url, application, String(second.body.refresh_token)))).toEqual(REFUSED);
    } finally {
      await again.close({ keepTime: true });
    }
  });

  test('S29 the other family of the same person and application lives on', async () => {
    const otherBrowser = createAgent(postern.url);
    const mine = await tokens();
    const other = await tokens(application, offline, otherBrowser);
    const rotated = await refresh(postern.url, application, mine.refresh);
    expect(rotated.status).toBe(200);
    expect(outcome(await refresh(postern.url, application, mine.refresh))).toEqual(REFUSED);
    expect((await refresh(postern.url, application, other.refresh)).status).toBe(200);
  });

  test('S30 refresh tokens expire absolutely, however often they rotate', async () => {
    const spa = await createApplication(postern, { type: 'spa' });
    const who = createAgent(postern.url);
    for (const client of [application, spa]) {
      let current = (await tokens(client, offline, who)).refresh;
      let days = 0;
      for (; days < 40; days += 3) {
        moveTime(3 * 86_400);
        const answer = await refresh(postern.url, client, current);
        if (answer.status !== 200) {
          expect(outcome(answer)).toEqual(REFUSED);
          break;
        }
        current = String(answer.body.refresh_token);
      }
      // The last that was taken, of fourteen.
      expect(days).toBe(12);
    }
    // The browsers' sessions ended meanwhile.
    await getCode(agent, application, person);
  });

  test('S31 a refresh token is bound to its client', async () => {
    const other = await createApplication(postern);
    const spa = await createApplication(postern, { type: 'spa' });
    const { refresh: held } = await tokens();
    for (const thief of [other, spa]) expect(outcome(await refresh(postern.url, thief, held))).toEqual(REFUSED);
    // A public client can't be a cover for a confidential one either.
    const bare = { clientId: application.clientId, secret: '' };
    expect((await refresh(postern.url, bare, held)).status).toBe(401);
    expect((await refresh(postern.url, application, held)).status).toBe(200);
  });

  test('S31 its scope never widens', async () => {
    const { refresh: held } = await tokens(application, { ...offline, scope: 'openid email offline_access' });
    const wider = await refresh(postern.url, application, held, { scope: 'openid email profile' });
    expect(wider.status).toBe(400);
    expect(wider.body.error).toBe('invalid_scope');
    const narrower = await refresh(postern.url, application, held, { scope: 'openid' });
    expect(narrower.body.scope).toBe('openid');
    expect(decodeJwt(String(narrower.body.id_token))).not.toHaveProperty('email');
  });

  test('S31 nor does its audience', async () => {
    const audience = await createApi(postern, ['read']);
    const other = await createApi(postern, ['read']);
    await grantRole(postern, person, [`${audience}#read`, `${other}#read`]);
    const client = await createApplication(postern, { permissions: [`${audience}#read`, `${other}#read`] });
    const extra = { scope: 'openid offline_access read', prompt: 'consent', resource: audience };
    const { body } = await redeem(postern.url, client, await getCode(agent, client, person, extra), {
      resource: audience,
    });
    const elsewhere = await refresh(postern.url, client, String(body.refresh_token), { resource: other });
    expect({ status: elsewhere.status, error: elsewhere.body.error }).toEqual({ status: 400, error: 'invalid_target' });
  });

  test('S32 a refresh looks at the roles of now', async () => {
    const audience = await createApi(postern, ['read', 'write']);
    const reader = await grantRole(postern, person, [`${audience}#read`]);
    const writer = await grantRole(postern, person, [`${audience}#write`]);
    const client = await createApplication(postern, { permissions: [`${audience}#read`, `${audience}#write`] });
    const extra = { scope: 'openid offline_access read write', prompt: 'consent', resource: audience };
    const got = await getCode(agent, client, person, extra);
    const { body } = await redeem(postern.url, client, got, { resource: audience });
    expect(decodeJwt(String(body.access_token)).scope).toBe('read write');

    await postern.parts.users.unassignRole(person.id, writer, BY_TEST);
    const less = await refresh(postern.url, client, String(body.refresh_token), { resource: audience });
    expect(decodeJwt(String(less.body.access_token))).toMatchObject({ scope: 'read', aud: audience });
    expect(decodeJwt(String(less.body.access_token)).roles).not.toContain(writer);

    await postern.parts.users.unassignRole(person.id, reader, BY_TEST);
    const none = await refresh(postern.url, client, String(less.body.refresh_token), { resource: audience });
    const scope = none.status === 200 ? decodeJwt(String(none.body.access_token)).scope : undefined;
    expect(scope ?? '').not.toMatch(/read|write/);
  });

  test('S32 a disabled person, client or consent refreshes nothing (S20, S78)', async () => {
    const victim = await createPerson(postern);
    const third = await createApplication(postern, { firstParty: false });
    const who = createAgent(postern.url);

    const withdrawn = await tokens(third, offline, who, victim);
    await postern.db.query('test-withdraw', 'DELETE FROM consent WHERE user_id = $1 AND client_id = $2', [
      victim.id,
      third.clientId,
    ]);
    expect(outcome(await refresh(postern.url, third, withdrawn.refresh))).toEqual(REFUSED);
    expect(await userinfoStatus(withdrawn.access)).toBe(401);

    const closed = await tokens(third, offline, who, victim);
    await postern.parts.applications.disable(third.clientId, BY_TEST);
    await until(async () => (await refresh(postern.url, third, closed.refresh)).status === 401);
    await postern.parts.applications.enable(third.clientId, BY_TEST);
    await until(async () => (await refresh(postern.url, third, closed.refresh)).status === 400);

    const mine = await tokens(application, offline, who, victim);
    const code = await getCode(who, application, victim);
    await postern.parts.users.disable(victim.id, BY_TEST);
    expect(outcome(await refresh(postern.url, application, mine.refresh))).toEqual(REFUSED);
    expect(outcome(await redeem(postern.url, application, code))).toEqual(REFUSED);
    expect(await introspect(postern.url, application, mine.access)).toEqual({ active: false });
  });

  test('S32 a person who is not active gets nothing, whatever tokens were left alive', async () => {
    const victim = await createPerson(postern);
    const who = createAgent(postern.url);
    const held = await tokens(application, offline, who, victim);
    const code = await getCode(who, application, victim);
    await postern.db.query('test-inactive', "UPDATE user_account SET status = 'disabled' WHERE id = $1", [victim.id]);
    expect(outcome(await refresh(postern.url, application, held.refresh))).toEqual(REFUSED);
    expect(outcome(await redeem(postern.url, application, code))).toEqual(REFUSED);
    expect(await userinfoStatus(held.access)).toBe(401);
    const page = await who.get(authorizePath(codeRequest(application, { prompt: 'none' }).params));
    expect(page.leaves?.searchParams.get('error')).toBe('login_required');
  });

  test('a refresh token without offline_access ends with the session', async () => {
    const who = createAgent(postern.url);
    const { refresh: held } = await tokens(application, {}, who);
    const rotated = await refresh(postern.url, application, held);
    expect(rotated.status).toBe(200);
    await postern.parts.users.endSessions(person.id, BY_TEST);
    expect(outcome(await refresh(postern.url, application, String(rotated.body.refresh_token)))).toEqual(REFUSED);
  });
});
