import {
  type Application,
  BY_TEST,
  createApi,
  createApplication,
  createPerson,
  grantRole,
  type Person,
} from './people.ts';
import type { Postern } from './postern.ts';

export const PAYMENT_SCHEMA = {
  type: 'object',
  properties: {
    amount: { type: 'number', minimum: 0.01, maximum: 10_000, title: 'Amount' },
    currency: { type: 'string', enum: ['EUR', 'USD'], title: 'Currency' },
    payee: { type: 'string', maxLength: 300, title: 'Paid to' },
    urgent: { type: 'boolean', title: 'At once' },
    items: { type: 'array', maxItems: 3, items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
  required: ['amount', 'currency'],
};

export interface DetailWorld {
  person: Person;
  application: Application;
  audience: string;
  /** Its type, of `audience`. */
  type: string;
  /** The same schema on another API, which the application may not ask for. */
  otherType: string;
}

let count = 0;

/** An API with a type of authorization details, a person whose role holds its permission, an application of others. */
export async function createDetailWorld(
  postern: Postern,
  options: { switches?: Record<string, boolean>; type?: 'web' | 'spa' } = {},
): Promise<DetailWorld> {
  count += 1;
  const { detailTypes } = postern.parts.access;
  const audience = await createApi(postern, ['pay', 'look']);
  const other = await createApi(postern, ['pay']);
  const [type, otherType] = [`payment${count}`, `https://types.example.com/other${count}`];
  const schema = JSON.stringify(PAYMENT_SCHEMA);
  await detailTypes.addTo(audience, { type, description: 'Make a payment', schema }, BY_TEST);
  await detailTypes.addTo(other, { type: otherType, description: 'Something else', schema }, BY_TEST);
  const person = await createPerson(postern);
  await grantRole(postern, person, [`${audience}#pay`]);
  const application = await createApplication(postern, {
    type: options.type ?? 'web',
    firstParty: false,
    permissions: [`${audience}#pay`, `${audience}#look`, `${other}#pay`],
  });
  const change = { authorizationDetailTypes: [type], ...options.switches };
  await postern.parts.applications.setProtocol(application.clientId, change, BY_TEST);
  return { person, application, audience, type, otherType };
}
