import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pairOf } from '../support/assertions.ts';
import type { Agent, Page } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { createApplication, createPerson, createService } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let admin: Agent;

beforeAll(async () => {
  postern = await startPostern();
  admin = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
});
afterAll(() => postern.close());

const settingsOf = async (clientId: string) => (await postern.parts.applications.protocolOf(clientId)).settings;
const at = (clientId: string, rest = '') => `/admin/applications/${clientId}${rest}`;

/** What is beside a field as its error. */
function errorAt(page: Page, name: string): string {
  return new RegExp(`id="${name}-error"[^]*?<span>([^<]*)`).exec(page.html)?.[1] ?? '';
}

async function events(target: string): Promise<{ action: string; data: Record<string, unknown> }[]> {
  return postern.db.query(
    'test-protocol-events',
    "SELECT action, data FROM audit_event WHERE target_id = $1 AND action ~ 'protocol|keys|secret' ORDER BY id",
    [target],
  );
}

describe('an application', () => {
  test('S89 its switches are set, shown and written down, before and after', async () => {
    const { clientId } = await createApplication(postern);
    expect((await admin.get(at(clientId))).text).toContain('No switch is on');
    const page = await admin.get(at(clientId, '/protocol'));
    const ticked = { requirePushedRequests: 'on', signedResponses: 'on' };
    const saved = await admin.submit(page, 'requirePushedRequests', ticked);
    expect(saved.url).toBe(`${postern.url}${at(clientId)}`);
    expect(saved.text).toContain('Pushed requests only (PAR)');
    expect(await settingsOf(clientId)).toEqual({ requirePushedRequests: true, signedResponses: true });
    const again = await admin.get(at(clientId, '/protocol'));
    expect(again.html).toMatch(/id="signedResponses"[^>]* checked/);
    await admin.post(at(clientId, '/protocol'), {
      _csrf: String(again.forms.find((form) => form.inputs.includes('fapi'))?.fields._csrf),
      dpopBound: 'on',
    });
    expect(await settingsOf(clientId)).toEqual({ dpopBound: true });
    expect((await events(clientId)).map(({ data }) => data)).toEqual([
      { before: {}, after: { requirePushedRequests: true, signedResponses: true } },
      { before: { requirePushedRequests: true, signedResponses: true }, after: { dpopBound: true } },
    ]);
  });

  test('a contradiction is refused beside its field, and what was ticked stays ticked', async () => {
    const { clientId } = await createApplication(postern);
    const page = await admin.get(at(clientId, '/protocol'));
    const refused = await admin.submit(page, 'fapi', { fapi: 'on', requireSignedRequests: 'on' });
    expect(refused.status).toBe(422);
    expect(errorAt(refused, 'fapi')).toContain('no secret');
    expect(errorAt(refused, 'requirePushedRequests')).toContain('pushed');
    expect(errorAt(refused, 'dpopBound')).toContain('bound');
    expect(errorAt(refused, 'requireSignedRequests')).toContain('keys');
    expect(refused.html).toMatch(/id="fapi"[^>]* checked/);
    expect(refused.html).not.toMatch(/id="dpopBound"[^>]* checked/);
    expect(await settingsOf(clientId)).toEqual({});
  });

  test('what this installation does not have is not shown, and not taken', async () => {
    const { clientId } = await createApplication(postern);
    const page = await admin.get(at(clientId, '/protocol'));
    for (const name of ['certificateBound', 'authorizationDetailTypes']) {
      expect(page.html).not.toContain(`name="${name}`);
    }
    const refused = await admin.submit(page, 'fapi', { certificateBound: 'on' });
    expect(refused.status).toBe(422);
    const unknown = await admin.submit(page, 'fapi', { superuser: 'on' });
    expect(unknown.status).toBe(400);
    expect(await settingsOf(clientId)).toEqual({});
  });

  test('S86 S89 its keys: for requests, then to prove itself, then a secret again, shown once', async () => {
    const { clientId, secret } = await createApplication(postern);
    const { jwk } = await pairOf('ES256');
    const jwks = JSON.stringify({ keys: [jwk] });
    const give = async (use: string, text = jwks) =>
      admin.submit(await admin.get(at(clientId, '/keys')), 'jwks', { jwks: text, use });

    expect((await give('requests')).text).toContain('k1');
    expect((await postern.parts.applications.byClientId(clientId))?.secrets).toHaveLength(1);
    const proving = await give('authentication');
    expect(proving.text).toContain('private_key_jwt');
    expect(proving.html).not.toContain('/secrets"');
    const back = await admin.submit(proving, '/use-secret');
    const shown = /pcs_[\w-]+/.exec(back.html)?.[0] ?? /<code[^>]*>([\w-]{40,})</.exec(back.html)?.[1];
    expect(shown).toBeTruthy();
    expect(shown).not.toBe(secret);
    const page = await admin.get(at(clientId));
    expect(page.html).not.toContain(String(shown));
    await admin.submit(page, '/keys/remove');
    const { keys, authMethod } = await postern.parts.applications.protocolOf(clientId);
    expect([keys, authMethod]).toEqual([[], 'client_secret_basic']);
    const told = await events(clientId);
    expect(told.map(({ action }) => action)).toEqual([
      'client.use_keys',
      'client.use_keys',
      'client.use_secret',
      'client.use_keys',
    ]);
    expect(told[1]?.data).toMatchObject({ use: 'authentication', revokedSecrets: [expect.any(String)] });
    expect(JSON.stringify(told)).not.toContain(String(shown));
  });

  test.each([
    [
      'a private key',
      async () => ({ ...(await pairOf('ES256')).jwk, d: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I' }),
    ],
    ['a shared key', async () => ({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I' })],
  ])('S86 %s is refused, and does not come back', async (_name, make) => {
    const { clientId } = await createApplication(postern);
    const page = await admin.get(at(clientId, '/keys'));
    const text = JSON.stringify({ keys: [await make()] });
    const refused = await admin.submit(page, 'jwks', { jwks: text, use: 'requests' });
    expect(refused.status).toBe(422);
    expect(errorAt(refused, 'jwks')).not.toBe('');
    expect(refused.html).not.toContain('c2VjcmV0');
  });

  test('a public one has no keys to give', async () => {
    const { clientId } = await createApplication(postern, { type: 'spa' });
    expect((await admin.get(at(clientId))).html).not.toContain('/keys"');
    const page = await admin.get(at(clientId, '/keys'));
    const { jwk } = await pairOf('ES256');
    const refused = await admin.submit(page, 'jwks', { jwks: JSON.stringify({ keys: [jwk] }), use: 'requests' });
    expect(refused.status).toBe(409);
  });
});

test('S89 a service account: the same, for what its tokens are bound to', async () => {
  const { id } = await createService(postern);
  const page = await admin.get(`/admin/service-accounts/${id}/protocol`);
  const refused = await admin.submit(page, 'fapi', { fapi: 'on' });
  expect(refused.status).toBe(422);
  expect(errorAt(refused, 'fapi')).toContain('no secret');
  const saved = await admin.submit(page, 'fapi', { dpopBound: 'on' });
  expect(saved.text).toContain('Tokens bound to a key (DPoP)');
  expect((await events(id)).map(({ action, data }) => [action, data])).toEqual([
    ['service_account.protocol', { before: {}, after: expect.objectContaining({ dpopBound: true }) }],
  ]);
});
