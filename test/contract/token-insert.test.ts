import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Owner, revokeAll } from '../../src/features/tokens/revocation-store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, randomToken } from '../../src/kernel/ids.ts';
import { hashOf, insertTokens, type TokenRow, toTokenRow } from '../../src/oidc/token-row.ts';
import { type Audit, createAudit } from '../../src/platform/audit/audit.ts';
import type { Tx } from '../../src/platform/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

// A token is inserted while a revocation is under way and not committed. The order is forced: whoever does not wait for
// the other leaves a token alive that nobody looks for any more.

let database: TestDatabase;
let audit: Audit;

beforeAll(async () => {
  database = await createTestDatabase();
  audit = createAudit({ db: database.db, clock: systemClock, companionInsert: insertTokens(['postern-console']) });
});
afterAll(() => database.drop());

async function client(): Promise<string> {
  const id = `app_${randomToken(6)}`;
  await database.db.query(
    'test-client',
    `INSERT INTO client (client_id, name, type, auth_method, created_at, updated_at)
     VALUES ($1, 'Test', 'web', 'client_secret_basic', now(), now())`,
    [id],
  );
  return id;
}

function rowOf(kind: string, id: string, clientId: string, grantId?: string) {
  const iat = Math.floor(Date.now() / 1000);
  const payload = { clientId, iat, exp: iat + 300, ...(grantId === undefined ? {} : { grantId }) };
  return toTokenRow(kind, id, payload, { format: 'opaque' });
}

async function isRevoked(id: string): Promise<boolean> {
  const text = 'SELECT revoked_at IS NOT NULL AS revoked FROM token WHERE id_hash = $1';
  const [row] = await database.db.query<{ revoked: boolean }>('test-revoked', text, [hashOf(id)]);
  if (!row) throw new Error('the token was not inserted');
  return row.revoked;
}

/** Inserts the token after `revoke` and before its commit; answers whether it was born revoked. */
async function insertedDuring(revoke: (tx: Tx) => Promise<unknown>, id: string, row: ReturnType<typeof rowOf>) {
  let inserted: Promise<void> = Promise.resolve();
  await database.db.tx(async (tx) => {
    await revoke(tx);
    let ended = false;
    inserted = audit.commit([], [row]).finally(() => {
      ended = true;
    });
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while (!ended && (await database.db.query('test-waiting', waiting, [])).length === 0);
  });
  await inserted;
  return isRevoked(id);
}

test('S9 a token whose grant is being revoked is born revoked', async () => {
  const clientId = await client();
  const grantId = randomToken();
  const grant = rowOf('Grant', grantId, clientId);
  await audit.commit([], [{ ...grant, grant_id: grantId }]);
  const id = randomToken();
  const revoke = (tx: Tx) => tx.$executeRaw`UPDATE token SET revoked_at = now() WHERE grant_id = ${grantId}`;
  expect(await insertedDuring(revoke, id, rowOf('AccessToken', id, clientId, grantId))).toBe(true);
});

test('S33 so is one whose client is being disabled, or deleted', async () => {
  const disabled = await client();
  const first = randomToken();
  const disable = (tx: Tx) => tx.$executeRaw`UPDATE client SET disabled_at = now() WHERE client_id = ${disabled}`;
  expect(await insertedDuring(disable, first, rowOf('ClientCredentials', first, disabled))).toBe(true);

  const deleted = await client();
  const second = randomToken();
  const remove = (tx: Tx) => tx.$executeRaw`DELETE FROM client WHERE client_id = ${deleted}`;
  expect(await insertedDuring(remove, second, rowOf('ClientCredentials', second, deleted))).toBe(true);
});

/** An access token with a row of its own, and one that was exchanged for it. */
async function exchanged(clientId: string) {
  const [parent, child] = [randomToken(), randomToken()];
  const first = rowOf('AccessToken', parent, clientId);
  await audit.commit([], [first]);
  return { parent, child, row: { ...rowOf('AccessToken', child, clientId), parent_jti: first.jti } };
}

test('S37 an exchanged token whose parent is being revoked, was revoked or never was is born revoked', async () => {
  const clientId = await client();
  const one = await exchanged(clientId);
  const revoke = (tx: Tx) => tx.$executeRaw`UPDATE token SET revoked_at = now() WHERE jti = ${one.row.parent_jti}`;
  expect(await insertedDuring(revoke, one.child, one.row)).toBe(true);

  const id = randomToken();
  const again = { ...rowOf('AccessToken', id, clientId), parent_jti: one.row.parent_jti };
  expect(await insertedDuring(async () => 0, id, again)).toBe(true);

  const orphan = randomToken();
  const lost = { ...rowOf('AccessToken', orphan, clientId), parent_jti: 'nobody' };
  expect(await insertedDuring(async () => 0, orphan, lost)).toBe(true);
});

test('S37 one that is inserted while its parent lives is alive, and is revoked with it, at any depth', async () => {
  const clientId = await client();
  const first = await exchanged(clientId);
  expect(await insertedDuring(async () => 0, first.child, first.row)).toBe(false);
  const id = randomToken();
  const row = { ...rowOf('AccessToken', id, clientId), parent_jti: first.row.jti };
  expect(await insertedDuring(async () => 0, id, row)).toBe(false);

  await database.db.query('test-revoke', 'UPDATE token SET revoked_at = now() WHERE jti = $1', [first.row.parent_jti]);
  expect([await isRevoked(first.parent), await isRevoked(first.child), await isRevoked(id)]).toEqual([
    true,
    true,
    true,
  ]);
});

test('S37 whoever revokes waits for the exchange that looked at the parent first, and then finds its token', async () => {
  const { parent, child, row } = await exchanged(await client());
  const revoke = 'UPDATE token SET revoked_at = now() WHERE id_hash = $1';
  let revoked: Promise<unknown> = Promise.resolve();
  await database.db.tx(async (tx) => {
    await tx.$executeRawUnsafe(insertTokens(['postern-console']).replace('$2', '$1'), JSON.stringify([row]));
    revoked = database.db.query('test-revoke-parent', revoke, [hashOf(parent)]);
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await database.db.query('test-waiting', waiting, [])).length === 0);
  });
  await revoked;
  expect(await isRevoked(child)).toBe(true);
});

test('where nothing is being revoked it is born alive', async () => {
  const clientId = await client();
  const id = randomToken();
  expect(await insertedDuring(async () => 0, id, rowOf('ClientCredentials', id, clientId))).toBe(false);
});

/** Starts `revoke` while the token is inserted and not committed; answers whether the token is revoked in the end. */
async function revokedDuringInsert(owner: Owner, id: string, row: TokenRow): Promise<boolean> {
  const { db } = database;
  let revoking: Promise<unknown> = Promise.resolve();
  await db.tx(async (tx) => {
    await tx.$executeRawUnsafe(insertTokens(['postern-console']).replaceAll('$2', '$1'), JSON.stringify([row]));
    let ended = false;
    revoking = db
      .tx((other) => revokeAll(other, owner, new Date()))
      .finally(() => {
        ended = true;
      });
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while (!ended && (await db.query('test-waiting', waiting, [])).length === 0);
  });
  await revoking;
  return isRevoked(id);
}

describe('S50 S51 who ends all tokens finds the one that is being inserted', () => {
  test('S51 of a client', async () => {
    const clientId = await client();
    const id = randomToken();
    const row = rowOf('ClientCredentials', id, clientId);
    expect(await revokedDuringInsert({ type: 'client', id: clientId, name: '' }, id, row)).toBe(true);
  });

  test('S51 for an API', async () => {
    const audience = 'https://orders.example.com';
    const clientId = await client();
    const id = randomToken();
    const row = { ...rowOf('ClientCredentials', id, clientId), audience };
    expect(await revokedDuringInsert({ type: 'api', id: audience, name: '' }, id, row)).toBe(true);
    const elsewhere = randomToken();
    const kept = { ...rowOf('ClientCredentials', elsewhere, clientId), audience: 'https://stock.example.com' };
    expect(await revokedDuringInsert({ type: 'api', id: audience, name: '' }, elsewhere, kept)).toBe(false);
  });

  test('S51 of a person, whose grant is older', async () => {
    const clientId = await client();
    const [grantId, userId] = [randomToken(), newId()];
    const grant = { ...rowOf('Grant', grantId, clientId), grant_id: grantId, user_id: userId };
    await audit.commit([], [grant]);
    const id = randomToken();
    const row = { ...rowOf('RefreshToken', id, clientId, grantId), user_id: userId };
    expect(await revokedDuringInsert({ type: 'user', id: userId, name: '' }, id, row)).toBe(true);
    // What comes from the grant after that is born revoked.
    const late = randomToken();
    await audit.commit([], [{ ...rowOf('AccessToken', late, clientId, grantId), user_id: userId }]);
    expect(await isRevoked(late)).toBe(true);
  });
});
