import { generate } from 'otplib';
import { AppError } from '../../src/kernel/errors.ts';
import type { ChangeBy } from '../../src/platform/audit/change.ts';
import type { Agent, Page } from './browserless.ts';
import type { Postern } from './postern.ts';
import { moveTime } from './time.ts';

export const BY_TEST: ChangeBy = { by: { type: 'system', name: 'test' } };

export interface Person {
  id: string;
  email: string;
  name: string;
  password: string;
  /** A code of the authenticator app that was not used before; time moves on where that takes another half minute. */
  code(): Promise<string>;
}

const PERIOD = 30;
let count = 0;

/** A person who can sign in: active, with a password and an authenticator app. */
export async function createPerson(postern: Postern, options: { roles?: string[] } = {}): Promise<Person> {
  const { parts, db } = postern;
  count += 1;
  const email = `person${count}@example.com`;
  const name = `Person ${count}`;
  const password = `correct horse ${count} battery`;
  const { id } = await parts.users.createWithPassword({ email, name, roles: options.roles ?? [] }, password, BY_TEST);
  const { secret } = parts.credentials.totp.begin();
  const stepNow = () => Math.floor(Date.now() / 1000 / PERIOD);
  const codeOf = (step: number) => generate({ secret, epoch: step * PERIOD });
  // Confirmed with the code of the step before, so that the present one is left for signing in.
  let last = stepNow() - 1;
  const early = codeOf(last);
  if (!(await db.tx(async (tx) => parts.credentials.totp.confirm(tx, id, secret, await early)))) {
    last = stepNow();
    await db.tx(async (tx) => parts.credentials.totp.confirm(tx, id, secret, await codeOf(last)));
  }
  return {
    id,
    email,
    name,
    password,
    async code() {
      const step = Math.max(stepNow(), last + 1);
      // The server accepts one step ahead at the most.
      if (step > stepNow() + 1) moveTime((step - stepNow()) * PERIOD);
      last = step;
      return codeOf(step);
    },
  };
}

/** From the password page to wherever a completed sign-in leads: consent, or back to the application. */
export async function signIn(agent: Agent, page: Page, person: Person): Promise<Page> {
  const factor = await agent.submit(page, 'password', { login: person.email, password: person.password });
  return agent.submit(factor, 'code', { code: await person.code() });
}

/** The same, and allows what the application asks for. */
export async function signInAndAllow(agent: Agent, page: Page, person: Person): Promise<Page> {
  const next = await signIn(agent, page, person);
  return next.url.endsWith('/consent') ? agent.submit(next, '/consent') : next;
}

export async function createApi(postern: Postern, permissions: string[], tokenTtl?: number): Promise<string> {
  count += 1;
  const audience = `https://api${count}.example.com`;
  await postern.parts.access.apis.create(
    {
      audience,
      permissions: permissions.map((name) => ({ name, description: `May ${name}` })),
      ...(tokenTtl === undefined ? {} : { lifetime: tokenTtl }),
    },
    BY_TEST,
  );
  return audience;
}

export interface Service {
  id: string;
  clientId: string;
  secret: string;
  /** For the header Authorization (RFC 6749 section 2.3.1). */
  basic: string;
}

export function basic(clientId: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

/** `permissions` as `<audience>#<name>`. */
export async function createService(postern: Postern, permissions: string[] = []): Promise<Service> {
  count += 1;
  const made = await postern.parts.serviceAccounts.create({ name: `service ${count}`, permissions }, BY_TEST);
  const { id, clientId, secret } = made;
  return { id, clientId, secret, basic: basic(clientId, secret) };
}

export interface Application {
  clientId: string;
  /** Empty for a public client. */
  secret: string;
  redirectUri: string;
  postLogoutRedirectUri: string;
}

export async function createApplication(
  postern: Postern,
  options: {
    type?: 'web' | 'spa' | 'native';
    redirectUris?: string[];
    scopes?: ('openid' | 'profile' | 'email' | 'roles' | 'groups' | 'offline_access')[];
    permissions?: string[];
    firstParty?: boolean;
  } = {},
): Promise<Application> {
  count += 1;
  const { type = 'web', firstParty = true, permissions = [] } = options;
  const redirectUris = options.redirectUris ?? [`https://app${count}.example.com/callback`];
  const postLogoutRedirectUri = `https://app${count}.example.com/bye`;
  const { clientId, secret = '' } = await postern.parts.applications.create(
    {
      name: `Application ${count}`,
      type,
      firstParty,
      permissions,
      redirectUris,
      postLogoutRedirectUris: [postLogoutRedirectUri],
      scopes: options.scopes ?? ['openid', 'profile', 'email', 'roles', 'offline_access'],
    },
    BY_TEST,
  );
  return { clientId, secret, redirectUri: redirectUris[0] ?? '', postLogoutRedirectUri };
}

/** Gives a role with these permissions (`<audience>#<name>`) to a person. */
export async function grantRole(postern: Postern, person: Person, permissions: string[]): Promise<string> {
  count += 1;
  const name = `role-${count}`;
  await postern.parts.access.roles.create({ name, description: '', permissions }, BY_TEST);
  await postern.parts.users.assignRole(person.id, name, BY_TEST);
  return name;
}

/** From now on the service proves itself with assertions that it signs (RFC 7523). */
export async function useAssertions(postern: Postern, clientId: string, publicJwk: object): Promise<void> {
  const { serviceAccounts } = postern.parts;
  const account = await serviceAccounts.find(clientId);
  await serviceAccounts.useKeys(account?.id ?? '', { jwks: { keys: [publicJwk] } }, BY_TEST);
}

/** The AppError that a use case must end with. */
export async function asError(work: Promise<unknown>): Promise<AppError> {
  const result = await work.then(
    () => 'it succeeded',
    (error: unknown) => error,
  );
  if (result instanceof AppError) return result;
  throw result instanceof Error ? result : new Error(String(result));
}
