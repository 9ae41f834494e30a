import type { Agent, Page } from './browserless.ts';
import { asClient, postForm, type TokenAnswer } from './oauth.ts';
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

export const CIBA = 'urn:openid:params:grant-type:ciba';

export interface BackchannelWorld {
  person: Person;
  application: Application;
  audience: string;
  /** Of the person's role. */
  role: string;
}

/** An application of others that may ask on another device, and a person who holds one of its two permissions. */
export async function createBackchannelWorld(postern: Postern): Promise<BackchannelWorld> {
  const audience = await createApi(postern, ['read', 'write']);
  const person = await createPerson(postern);
  const role = await grantRole(postern, person, [`${audience}#read`]);
  const application = await createApplication(postern, {
    firstParty: false,
    permissions: [`${audience}#read`, `${audience}#write`],
  });
  await postern.parts.applications.setProtocol(application.clientId, { backchannelAuthentication: true }, BY_TEST);
  return { person, application, audience, role };
}

/** Asks at the backchannel endpoint. Empty values are left out. */
export function askFor(
  origin: string,
  { application, person }: Pick<BackchannelWorld, 'application' | 'person'>,
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { form, headers } = asClient(application);
  const params = { scope: 'openid', login_hint: person.email, ...form, ...extra };
  const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''));
  return postForm(`${origin}/oauth2/backchannel_authentication`, given, headers);
}

export function poll(
  origin: string,
  application: Application,
  id: string,
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { form, headers } = asClient(application);
  return postForm(`${origin}/oauth2/token`, { grant_type: CIBA, auth_req_id: id, ...form, ...extra }, headers);
}

/** The page of the one request that this person's list shows, decided. */
export async function decide(agent: Agent, how: 'allow' | 'deny'): Promise<{ page: Page; done: Page }> {
  const page = await openRequest(agent);
  const form = page.forms.find(({ action }) => action.endsWith(`/${how}`));
  if (!form) throw new Error(`no way to ${how} at ${page.url}: ${page.text}`);
  return { page, done: await agent.post(form.action, form.fields) };
}

/** The newest in the list. */
export async function openRequest(agent: Agent): Promise<Page> {
  const list = await agent.get('/account/approvals');
  const links = [...list.html.matchAll(/href="(\/account\/approvals\/[\w-]{36})"/g)].map(([, link]) => link ?? '');
  const newest = links.at(-1);
  if (newest === undefined) throw new Error(`nothing is open: ${list.status} ${list.url} ${list.text}`);
  return agent.get(newest);
}
