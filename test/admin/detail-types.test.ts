import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseDetailSchema } from '../../src/kernel/detail-schema.ts';
import type { Agent } from '../support/browserless.ts';
import { browserOf } from '../support/console.ts';
import { PAYMENT_SCHEMA } from '../support/details.ts';
import { createApi, createApplication, createPerson } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let admin: Agent;
let id: string;
let audience: string;

beforeAll(async () => {
  postern = await startPostern();
  admin = await browserOf(postern, await createPerson(postern, { roles: ['admin'] }), '/admin');
  audience = await createApi(postern, ['pay']);
  id = (await postern.parts.access.apis.list({ search: audience })).items[0]?.id ?? '';
});
afterAll(() => postern.close());

const at = (rest = '') => `/admin/apis/${id}${rest}`;
const types = () => postern.parts.access.detailTypes.list(id);
const add = async (values: Record<string, string>) =>
  admin.submit(await admin.get(at('/detail-types/new')), 'schema', {
    type: 'payment',
    description: 'Make a payment',
    schema: JSON.stringify(PAYMENT_SCHEMA),
    ...values,
  });

test('S89 a type is added, changed and removed, each with its event, and applications can be given it', async () => {
  expect((await admin.get(at())).text).toContain('No authorization details');
  const added = await add({ type: 'https://types.example.com/pay?v=1' });
  expect(added.text).toContain('https://types.example.com/pay?v=1');
  const application = await createApplication(postern, { permissions: [`${audience}#pay`] });
  const protocol = await admin.get(`/admin/applications/${application.clientId}/protocol`);
  expect(protocol.html).toContain('value="https://types.example.com/pay?v=1"');

  const edit = await admin.get(
    at(`/detail-types/edit?${new URLSearchParams({ type: 'https://types.example.com/pay?v=1' })}`),
  );
  const schema = JSON.stringify({ type: 'object', properties: { note: { type: 'string' } } });
  const saved = await admin.submit(edit, 'schema', { description: 'Pay', schema });
  expect(saved.text).toContain('note');
  expect((await types())[0]).toMatchObject({
    description: 'Pay',
    schema: { properties: { note: { type: 'string' } } },
  });

  expect((await admin.submit(saved, '/detail-types/remove')).text).toContain('No authorization details');
  const events = await postern.db.query<{ data: Record<string, unknown> }>(
    'test-events',
    `SELECT data FROM audit_event WHERE action = 'api.detail_types' ORDER BY id`,
    [],
  );
  expect(events.map(({ data }) => Object.keys(data)[1])).toHaveLength(3);
});

test.each<[string, Record<string, string>, string]>([
  ['no name', { type: '' }, 'type'],
  ['a name with a space', { type: 'a b' }, 'type'],
  ['a name with markup', { type: '<b>' }, 'type'],
  ['no words', { description: '' }, 'description'],
  ['words that turn around', { description: 'a\u202eb' }, 'description'],
  ['no JSON', { schema: '{' }, 'schema'],
  ['more than 8 KiB', { schema: `{}${'x'.repeat(9000)}` }, 'schema'],
])('S92 %s is refused beside its field', async (_what, values, field) => {
  const page = await add(values);
  expect(page.status).toBe(422);
  expect(page.html).toContain(`id="${field}-error"`);
});

test('a type is of one API alone', async () => {
  expect((await add({ type: 'once' })).status).toBe(200);
  const again = await add({ type: 'once' });
  expect([again.status, again.html.includes('id="type-error"')]).toEqual([422, true]);
});

test.each<[string, unknown, string]>([
  ['a list', [], '(type)'],
  ['another root', { type: 'string' }, 'type'],
  ['$ref', { type: 'object', properties: { a: { $ref: 'https://evil.example.com' } } }, 'properties.a.type'],
  ['a pattern', { type: 'object', properties: { a: { type: 'string', pattern: '(a+)+$' } } }, 'properties.a.pattern'],
  ['other fields', { type: 'object', properties: {}, additionalProperties: true }, 'additionalProperties'],
  ['type as a field', { type: 'object', properties: { type: { type: 'string' } } }, 'properties.type'],
  ['a field that is required and not there', { type: 'object', properties: {}, required: ['a'] }, 'required: a'],
  ['a name that is no word', { type: 'object', properties: { '1 a': { type: 'string' } } }, 'properties.1 a'],
])('a schema with %s is not understood', (_what, schema, where) => {
  expect(parseDetailSchema(JSON.stringify(schema))).toEqual({ at: where });
});

test('__proto__ is no field, and so refused in a detail', () => {
  const text = '{"type":"object","properties":{"__proto__":{"type":"string"}}}';
  expect(parseDetailSchema(text)).toEqual({ schema: { properties: {} } });
});

test('a schema that is nested too deeply is refused, however it is written', () => {
  let schema: object = { type: 'string' };
  for (let level = 0; level < 30; level += 1) schema = { type: 'array', items: schema };
  expect(parseDetailSchema(JSON.stringify({ type: 'object', properties: { a: schema } }))).toEqual({ at: '(depth)' });
  expect(parseDetailSchema('['.repeat(8000))).toEqual({ at: '(JSON)' });
  expect(parseDetailSchema('['.repeat(4000) + ']'.repeat(4000))).toEqual({ at: '(depth)' });
});
