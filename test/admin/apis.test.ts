import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Agent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { clientCredentials } from '../support/oauth.ts';
import { createPerson, createService, type Person } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { until } from '../support/until.ts';

describe('what the tokens of an API look like', () => {
  let postern: Postern;
  let admin: Person;
  let browser: Agent;

  beforeAll(async () => {
    postern = await startPostern();
    admin = await createPerson(postern, { roles: ['admin'] });
    browser = await browserOf(postern, admin, '/admin');
  });
  afterAll(() => postern.close());

  async function create(audience: string, values: Record<string, string> = {}) {
    const form = { audience, permissions: 'read Read things', ...values };
    return browser.submit(await browser.get('/admin/apis/new'), 'audience', form);
  }

  const idOf = (url: string) => new URL(url).pathname.split('/')[3] ?? '';

  test('is chosen when it is made, with a sentence on what each is for', async () => {
    const page = await browser.get('/admin/apis/new');
    const form = page.forms.find(({ inputs }) => inputs.includes('audience'));
    expect(form?.fields).toMatchObject({ tokenFormat: 'jwt', signingAlg: 'ES256', claimProfile: 'standard' });
    expect(page.text).toContain('The API asks Postern at each use');
    expect(page.text).toContain("Check first that the API's libraries know it.");

    const plain = await create('https://plain.example.com');
    expect(plain.text).toContain('JWT, signed with ES256');
    const signed = await create('https://signed.example.com', { signingAlg: 'EdDSA' });
    expect(signed.text).toContain('JWT, signed with EdDSA');
    const opaque = await create('https://opaque.example.com', { tokenFormat: 'opaque' });
    expect(opaque.text).toContain('Access tokens Opaque');
    expect(opaque.text).not.toContain('signed with');
    expect((await browser.get('/admin/apis')).text).toContain('JWT, EdDSA');

    const [event] = await postern.parts.events.about(idOf(opaque.url), 10);
    expect(event).toMatchObject({ action: 'api.create', actorId: admin.id });
    expect(event?.data).toMatchObject({ tokenFormat: 'opaque', signingAlg: 'ES256' });
  });

  test('is changed later, and the next token has the new form', async () => {
    const audience = 'https://changing.example.com';
    const here = new URL((await create(audience)).url).pathname;
    const service = await createService(postern, [`${audience}#read`]);
    const token = async () => String((await clientCredentials(postern.url, service)).body.access_token);
    expect(decodeProtectedHeader(await token()).alg).toBe('ES256');

    const edit = await browser.get(`${here}/edit`);
    const saved = await browser.submit(edit, 'signingAlg', { signingAlg: 'RS256' });
    expect(saved.text).toContain('JWT, signed with RS256');
    await until(async () => decodeProtectedHeader(await token()).alg === 'RS256');

    const again = await browser.get(`${here}/edit`);
    expect(again.forms.find(({ inputs }) => inputs.includes('signingAlg'))?.fields).toMatchObject({
      tokenFormat: 'jwt',
      signingAlg: 'RS256',
    });
    await browser.submit(again, 'signingAlg', { tokenFormat: 'opaque' });
    await until(async () => !(await token()).includes('.'));
  });

  test('names its claims by the profile that was chosen, from the next token on', async () => {
    const audience = 'https://moved.example.com';
    const made = await create(audience, { claimProfile: 'keycloak' });
    expect(made.text).toContain('Claims Keycloak');
    const service = await createService(postern, [`${audience}#read`]);
    const claims = async () => decodeJwt(String((await clientCredentials(postern.url, service)).body.access_token));
    expect(await claims()).toMatchObject({ resource_access: { [audience]: { roles: ['read'] } } });

    const edit = await browser.get(`${new URL(made.url).pathname}/edit`);
    expect(edit.forms.find(({ inputs }) => inputs.includes('claimProfile'))?.fields).toMatchObject({
      claimProfile: 'keycloak',
    });
    await browser.submit(edit, 'claimProfile', { claimProfile: 'standard' });
    await until(async () => (await claims()).resource_access === undefined);
    const [event] = await postern.parts.events.about(idOf(made.url), 1);
    expect(event).toMatchObject({ action: 'api.update', data: { claimProfile: 'standard' } });
  });

  test('is one of the choices that are offered', async () => {
    const wrong = await create('https://wrong.example.com', { tokenFormat: 'paseto' });
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain('Choose JWT or opaque.');
    expect(wrong.forms.find(({ inputs }) => inputs.includes('audience'))?.fields).toMatchObject({
      audience: 'https://wrong.example.com',
      signingAlg: 'ES256',
    });
    const unknown = await create('https://wrong.example.com', { claimProfile: 'okta' });
    expect(unknown.status).toBe(422);
    expect(unknown.text).toContain('Choose standard, Keycloak or Auth0.');
    const none = await create('https://wrong.example.com', { signingAlg: 'none' });
    expect(none.status).toBe(422);
    expect(none.text).toContain('Choose one of the signatures.');
  });
});
