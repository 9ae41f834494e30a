import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Agent, createAgent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { clientCredentials, getCode, introspect, redeem } from '../support/oauth.ts';
import {
  type Application,
  createApi,
  createApplication,
  createPerson,
  createService,
  grantRole,
  type Person,
  type Service,
} from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let admin: Person;
let browser: Agent;
let audience: string;
let service: Service;
let person: Person;
let application: Application;

beforeAll(async () => {
  postern = await startPostern();
  admin = await createPerson(postern, { roles: ['admin'] });
  browser = await browserOf(postern, admin, '/admin');
  audience = await createApi(postern, ['read', 'introspect']);
  service = await createService(postern, [`${audience}#read`, `${audience}#introspect`]);
  person = await createPerson(postern);
  await grantRole(postern, person, [`${audience}#read`]);
  application = await createApplication(postern, { permissions: [`${audience}#read`] });
});
afterAll(() => postern.close());

async function serviceToken(): Promise<string> {
  return String((await clientCredentials(postern.url, service)).body.access_token);
}

async function personToken(): Promise<string> {
  const extra = { scope: 'openid read', resource: audience };
  const got = await getCode(createAgent(postern.url), application, person, extra);
  return String((await redeem(postern.url, application, got)).body.access_token);
}

const isActive = async (token: string) => (await introspect(postern.url, service, token)).active;

describe('all tokens of one', () => {
  test.each([
    ['client', () => service.clientId, 'client', serviceToken, 2],
    ['service_account', () => service.id, 'client', serviceToken, 2],
    // An access token, a refresh token, twice.
    ['user', () => person.email, 'user', personToken, 4],
    ['user', () => person.id, 'user', personToken, 4],
    ['audience', () => audience, 'api', serviceToken, 2],
  ] as const)(
    'S51 %s: the list leads to a question that says how many, and then they end',
    async (field, id, type, get, count) => {
      const tokens = [await get(), await get()];
      const list = await browser.get(`/admin/tokens?${new URLSearchParams({ [field]: id() })}`);
      const link = /href="([^"]*revoke-all[^"]*)"/.exec(list.html)?.[1]?.replaceAll('&amp;', '&') ?? '';
      const question = await browser.get(link);
      expect(question.status).toBe(200);
      expect(question.text).toContain(`${count} tokens`);
      expect(await isActive(tokens[0] ?? '')).toBe(true);

      const done = await browser.submit(question, '/revoke-all');
      expect(done.text).toContain(`${count} tokens were revoked.`);
      for (const token of tokens) expect(await isActive(token)).toBe(false);
      const [event] = await postern.db.query<Record<string, unknown>>(
        'test-revoke-all',
        `SELECT action, actor_id, target_type, data FROM audit_event WHERE actor_type <> 'system' ORDER BY seq DESC LIMIT 1`,
        [],
      );
      expect(event).toMatchObject({
        action: 'token.revoke_all',
        actor_id: admin.id,
        target_type: type,
        data: { tokens: count },
      });
      const again = await browser.get(link);
      expect(again.text).toContain('0 tokens');
    },
  );

  test('is offered where the list is that of one, and not elsewhere', async () => {
    for (const query of ['', '?state=active', `?client=${service.clientId}&user=${person.email}`]) {
      expect((await browser.get(`/admin/tokens${query}`)).html).not.toContain('revoke-all');
    }
  });

  test('whoever is not there is not found, and nothing is done for two at once', async () => {
    for (const query of [
      '',
      'client=nobody',
      'user=nobody%40example.com',
      'audience=urn%3Anone',
      'service_account=x',
    ]) {
      expect((await browser.get(`/admin/tokens/revoke-all?${query}`)).status).toBe(404);
    }
    const token = await serviceToken();
    const question = await browser.get(`/admin/tokens/revoke-all?client=${service.clientId}`);
    const both = await browser.submit(question, '/revoke-all', { audience });
    expect(both.status).toBe(404);
    expect(await isActive(token)).toBe(true);
  });
});
