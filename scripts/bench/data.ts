import { createHash, randomBytes } from 'node:crypto';
import { generate } from 'otplib';
import type { App } from '../../src/app.ts';
import type { ChangeBy } from '../../src/platform/audit/change.ts';
import type { BenchClient } from './floors/setup.ts';

const BY: ChangeBy = { by: { type: 'system', name: 'bench' } };
export const AUDIENCE = 'https://api.example.com';
export const SCOPE = 'read';
export const PASSWORD = 'seven harbours and a quiet lighthouse';
/** Of the bench's API: longer than a row takes. */
export const TOKEN_TTL = 3600;
const PERIOD = 30;

/**
 * APIs of other kinds, by the end of their audience, with what has to be said to have one. One that the product refuses
 * is left out, and its row says so.
 */
const VARIANTS: { end: string; extra: Record<string, unknown> }[] = [
  { end: '/opaque', extra: { tokenFormat: 'opaque' } },
  { end: '/eddsa', extra: { signingAlg: 'EdDSA' } },
];

export interface Person {
  id: string;
  login: string;
  password: string;
  /** Of the authenticator app, base32. */
  secret: string;
}

export interface Data {
  services: BenchClient[];
  application: BenchClient & { redirectUri: string };
  people: Person[];
  passwordHash: string;
}

export interface DataSize {
  clients: number;
  people: number;
}

/** Made by the product's own use cases; only the many copies of what those made are written by SQL. */
export async function prepareData(app: App, size: DataSize): Promise<Data> {
  const { parts } = app;
  const permissions: string[] = [];
  for (const { end, extra } of [{ end: '', extra: {} }, ...VARIANTS]) {
    const audience = `${AUDIENCE}${end}`;
    const api = { audience, permissions: [{ name: SCOPE, description: '' }], lifetime: TOKEN_TTL, ...extra };
    try {
      await parts.access.apis.create(api, BY);
      permissions.push(`${audience}#${SCOPE}`);
    } catch (error) {
      if (end === '' || (error as { code?: string }).code !== 'invalid_input') throw error;
    }
  }
  const services: BenchClient[] = [];
  for (let index = 0; index < Math.min(10, size.clients); index += 1) {
    const { clientId, secret } = await parts.serviceAccounts.create({ name: `service ${index}`, permissions }, BY);
    services.push({ clientId, secret });
  }
  services.push(...(await copyServices(app, size.clients - services.length)));

  const redirectUri = 'https://app.example.com/callback';
  const { clientId, secret = '' } = await parts.applications.create(
    {
      name: 'application',
      type: 'web',
      firstParty: true,
      redirectUris: [redirectUri],
      postLogoutRedirectUris: [],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      permissions: [],
    },
    BY,
  );
  const people = await preparePeople(app, size.people);
  const hash = await app.db.prisma.password.findFirst({ select: { hash: true } });
  return { services, application: { clientId, secret, redirectUri }, people, passwordHash: hash?.hash ?? '' };
}

/** More services with the permissions of the first one. */
async function copyServices(app: App, count: number): Promise<BenchClient[]> {
  if (count <= 0) return [];
  const made = Array.from({ length: count }, (_, index) => ({
    clientId: `svc_copy_${index}`,
    secret: `pst_${randomBytes(32).toString('base64url')}`,
  }));
  const rows = made.map(({ clientId, secret }) => ({
    client_id: clientId,
    hash: createHash('sha256').update(secret).digest('hex'),
  }));
  await app.db.query(
    'bench-copy-services',
    `WITH row AS (SELECT client_id, hash, uuidv7() AS id FROM json_to_recordset($1::json) AS r(client_id text, hash text)),
      client AS (INSERT INTO client (client_id, name, type, auth_method, redirect_uris, post_logout_redirect_uris, scopes,
          created_at, updated_at)
        SELECT client_id, client_id, 'service', 'client_secret_basic', '{}', '{}', '{}', now(), now() FROM row),
      secret AS (INSERT INTO client_secret (id, client_id, secret_hash, prefix, created_at)
        SELECT uuidv7(), client_id, decode(hash, 'hex'), 'pst_copy', now() FROM row),
      account AS (INSERT INTO service_account (id, client_id, name, created_at, updated_at)
        SELECT id, client_id, client_id, now(), now() FROM row)
    INSERT INTO service_account_permission (service_account_id, permission_id)
      SELECT row.id, p.id FROM row, permission p JOIN api a ON a.id = p.api_id WHERE starts_with(a.audience, $2)`,
    [JSON.stringify(rows), AUDIENCE],
  );
  return made;
}

/** One person by the use cases; the others share the digest of the password, and have an authenticator of their own. */
async function preparePeople(app: App, count: number): Promise<Person[]> {
  const { parts, db } = app;
  const first = await parts.users.createWithPassword(
    { email: 'person0@example.com', name: 'Person 0', roles: [] },
    PASSWORD,
    BY,
  );
  if (count > 1) {
    await db.query(
      'bench-copy-people',
      `WITH person AS (
        INSERT INTO user_account (id, email, email_normalized, name, status, created_at, updated_at)
        SELECT uuidv7(), e.email, e.email, 'Person', 'active', now(), now()
          FROM (SELECT 'person' || n || '@example.com' AS email FROM generate_series(1, $2::int) n) e RETURNING id)
      INSERT INTO password (user_id, hash, pepper_id, updated_at)
        SELECT person.id, p.hash, p.pepper_id, now() FROM person, password p WHERE p.user_id = $1`,
      [first.id, count - 1],
    );
  }
  const accounts = await db.query<{ id: string; email: string }>(
    'bench-people',
    'SELECT id, email FROM user_account',
    [],
  );
  const people: Person[] = [];
  for (const { id, email } of accounts) {
    const { secret } = parts.credentials.totp.begin();
    const code = await generate({ secret, epoch: Math.floor(Date.now() / 1000 / PERIOD) * PERIOD });
    await db.tx((tx) => parts.credentials.totp.confirm(tx, id, secret, code));
    people.push({ id, login: email, password: PASSWORD, secret });
  }
  return people;
}
