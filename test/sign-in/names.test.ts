import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Agent, createAgent, type Page } from '../support/browserless.ts';
import { asError, BY_TEST } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

const REFUSED = [
  ['a direction that is turned', 'Ada \u202eecalevoL'],
  ['an isolated direction', 'Ada \u2066Lovelace'],
  ['a control character', 'Ada\u0007Lovelace'],
  ['a line end', 'Ada\nLovelace'],
  ['an escape sequence', 'Ada\u001b[2J'],
  ['a name of 101 characters', 'a'.repeat(101)],
] as const;
const password = 'nine violet tractors';

let postern: Postern;
beforeAll(async () => {
  postern = await startPostern();
});
afterAll(() => postern.close());

async function begin(link: string): Promise<{ agent: Agent; form: Page }> {
  const agent = createAgent(postern.url);
  return { agent, form: await agent.get(link) };
}

// In this order: the setup page is there until somebody completes it.
test.each(REFUSED)('the setup page does not take %s for a name', async (_, name) => {
  const { agent, form } = await begin((await postern.setupLink()) ?? '');
  const page = await agent.submit(form, 'password', { email: 'first@example.com', name, password });
  expect(page.status).toBe(422);
  expect(page.html).toContain('name-error');
  expect(await postern.parts.accounts.hasAdmin()).toBe(false);
});

test('it takes one of 100 characters, in any script', async () => {
  const { agent, form } = await begin((await postern.setupLink()) ?? '');
  const name = `أمل ${'語'.repeat(96)}`;
  await agent.submit(form, 'password', { email: 'first@example.com', name, password });
  expect((await postern.parts.accounts.findByLogin('first@example.com'))?.name).toBe(name);
});

test.each(REFUSED)('the page of an invitation does not take %s', async (_, name) => {
  const email = `invited.${REFUSED.findIndex(([, one]) => one === name)}@example.com`;
  const { inviteUrl, user } = await postern.parts.users.invite({ email, name: 'Invited' }, BY_TEST);
  const { agent, form } = await begin(inviteUrl);
  const page = await agent.submit(form, 'password', { name, password });
  expect(page.status).toBe(422);
  expect(page.html).toContain('name-error');
  expect(await postern.parts.accounts.byId(user.id)).toMatchObject({ name: 'Invited', status: 'invited' });
});

test.each(REFUSED)('neither the command line nor the admin pages take %s', async (_, name) => {
  const { users } = postern.parts;
  for (const work of [
    users.createWithPassword({ email: 'cli@example.com', name }, password, BY_TEST),
    users.invite({ email: 'cli@example.com', name }, BY_TEST),
  ]) {
    expect(await asError(work)).toMatchObject({ code: 'invalid_input', fields: { name: expect.anything() } });
  }
});
