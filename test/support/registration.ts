import type { PolicyInput } from '../../src/features/registration/policy.ts';
import { BY_TEST } from './people.ts';
import type { Postern } from './postern.ts';

let count = 0;

/** An initial access token, made as an admin makes it. */
export async function initialToken(
  postern: Pick<Postern, 'parts'>,
  options: { uses?: number; expires?: string; policy?: PolicyInput } = {},
): Promise<{ id: string; name: string; token: string }> {
  count += 1;
  const { policy = {}, uses = 100, ...rest } = options;
  const { id, name, token } = await postern.parts.registration.tokens.create(
    { name: `token ${count}`, uses, policy, ...rest },
    BY_TEST,
  );
  return { id, name, token };
}

export interface RegistrationAnswer {
  status: number;
  headers: Headers;
  body: {
    client_id?: string;
    client_secret?: string;
    registration_client_uri?: string;
    registration_access_token?: string;
    error?: string;
    error_description?: string;
    [name: string]: unknown;
  };
}

/** A request to the registration endpoint or to a client's own address below it. */
export async function ask(
  method: string,
  url: string,
  token: string | undefined,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<RegistrationAnswer> {
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

export const register = (origin: string, token: string | undefined, body: unknown) =>
  ask('POST', `${origin}/oauth2/register`, token, body);

/** Metadata that every policy lets in. */
export const plainWeb = { client_name: 'Shop', redirect_uris: ['https://shop.example.com/callback'] };

/** What the audit log holds of one client, oldest first. */
export async function eventsOf(postern: Pick<Postern, 'db'>, action: string, clientId?: string) {
  return await postern.db.query<{ outcome: string; reason: string | null; actor_type: string; data: unknown }>(
    'test-registration-events',
    `SELECT outcome, reason, actor_type, data FROM audit_event
     WHERE action = $1 AND ($2::text IS NULL OR client_id = $2) ORDER BY time, id`,
    [action, clientId ?? null],
  );
}
