import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Adapter, AdapterPayload } from 'oidc-provider';
// @ts-expect-error the library has no types for its inside
import { createMemoryAdapter } from '../../node_modules/oidc-provider/lib/adapters/memory_adapter.js';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, randomToken } from '../../src/kernel/ids.ts';
import { createSessionStore, type SessionStore } from '../../src/oidc/session-store.ts';
import { createTokenReads } from '../../src/oidc/token-reads.ts';
import { insertTokens, toTokenRow } from '../../src/oidc/token-row.ts';
import { createTokenStore } from '../../src/oidc/token-store.ts';
import { createAudit } from '../../src/platform/audit/audit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/*
 * What the library asks of an adapter, held against its own in memory and against ours: where both promise the same,
 * the same calls have the same results. Ours promises more (one winner), and that is tested apart.
 */

let database: TestDatabase;
let userId: string;
let sessions: SessionStore;
const adapters: Record<string, (kind: string) => Adapter> = {};

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  const audit = createAudit({ db, clock: systemClock, companionInsert: insertTokens(['app']) });
  adapters.ours = createTokenStore({ db, audit, reads: createTokenReads({ db, clock: systemClock }) });
  adapters["the library's"] = createMemoryAdapter() as (kind: string) => Adapter;
  sessions = createSessionStore({ db, clock: systemClock });
  userId = newId();
  await db.query(
    'test-user',
    `INSERT INTO user_account (id, email, email_normalized, name, status, created_at, updated_at)
     VALUES ($1, 'a@example.com', 'a@example.com', 'A', 'active', now(), now())`,
    [userId],
  );
});
afterAll(() => database.drop());

const LIFE = 600;
/** Kinds that Postern's features make the library store, each with what it stores in them. */
const KINDS: Record<string, (grantId: string) => Partial<AdapterPayload>> = {
  Grant: () => ({ openid: { scope: 'openid email' }, resources: { 'https://api.example.com': 'read' } }) as never,
  AccessToken: (grantId) => ({ grantId, scope: 'openid email', gty: 'authorization_code', sessionUid: randomToken(8) }),
  AuthorizationCode: (grantId) => ({
    grantId,
    scope: 'openid',
    redirectUri: 'https://app.example.com/callback?x=\u00e9',
    codeChallenge: 'c'.repeat(43),
    codeChallengeMethod: 'S256',
    nonce: 'n',
    claims: { id_token: { acr: { essential: true } } },
    sessionUid: randomToken(8),
    expiresWithSession: true,
  }),
  RefreshToken: (grantId) => ({ grantId, scope: 'openid offline_access', iiat: 1, rotations: 3, gty: 'x' }),
  Interaction: () => ({
    returnTo: 'https://id.example.com/oauth2/authorize/uid',
    prompt: { name: 'login', reasons: ['no_session'], details: {} },
    params: { client_id: 'app', scope: 'openid', state: 'a "quoted" \\ state' },
  }),
};

function payloadOf(kind: string, id: string, grantId: string): AdapterPayload {
  const now = Math.floor(Date.now() / 1000);
  const owned = kind === 'Interaction' ? {} : { accountId: userId, clientId: 'app' };
  return { kind, jti: id, iat: now, exp: now + LIFE, ...owned, ...KINDS[kind]?.(grantId) } as AdapterPayload;
}

describe.each(['ours', "the library's"])('%s adapter', (name) => {
  const of = (kind: string) => {
    const make = adapters[name];
    if (!make) throw new Error(name);
    return make(kind);
  };

  test.each(Object.keys(KINDS))('%s: what was stored is found again, whole', async (kind) => {
    const id = randomToken();
    const payload = payloadOf(kind, id, randomToken());
    await of(kind).upsert(id, payload, LIFE);
    expect(await of(kind).find(id)).toEqual(payload);
  });

  test.each(Object.keys(KINDS))('%s: what was not stored, or was destroyed, is undefined', async (kind) => {
    const id = randomToken();
    expect(await of(kind).find(id)).toBeUndefined();
    await of(kind).upsert(id, payloadOf(kind, id, randomToken()), LIFE);
    await of(kind).destroy(id);
    expect(await of(kind).find(id)).toBeUndefined();
    await of(kind).destroy(id);
  });

  test.each(Object.keys(KINDS))('%s: the id of one kind finds nothing of another', async (kind) => {
    const id = randomToken();
    await of(kind).upsert(id, payloadOf(kind, id, randomToken()), LIFE);
    for (const other of Object.keys(KINDS)) {
      if (other !== kind) expect(await of(other).find(id)).toBeUndefined();
    }
  });

  test.each(['Grant', 'Interaction'])('%s: storing again replaces', async (kind) => {
    const id = randomToken();
    const payload = payloadOf(kind, id, randomToken());
    await of(kind).upsert(id, payload, LIFE);
    const changed = { ...payload, exp: Number(payload.exp) + 60, rejected: { openid: { scope: 'email' } } };
    await of(kind).upsert(id, changed as AdapterPayload, LIFE + 60);
    expect(await of(kind).find(id)).toEqual(changed);
  });

  test.each(['AuthorizationCode', 'RefreshToken'])('%s: consumed is marked, and still found', async (kind) => {
    const id = randomToken();
    await of(kind).upsert(id, payloadOf(kind, id, randomToken()), LIFE);
    await of(kind).consume(id);
    const found = (await of(kind).find(id)) as AdapterPayload;
    expect(Math.abs(Number(found.consumed) - Date.now() / 1000)).toBeLessThan(5);
  });

  test('a revoked grant takes what hangs on it, and leaves what hangs on another', async () => {
    const [mine, other] = [randomToken(), randomToken()];
    const kinds = ['AccessToken', 'AuthorizationCode', 'RefreshToken'];
    const stored: { kind: string; id: string; grant: string }[] = [];
    for (const kind of kinds) {
      for (const grant of [mine, other]) {
        const id = randomToken();
        stored.push({ kind, id, grant });
        await of(kind).upsert(id, payloadOf(kind, id, grant), LIFE);
      }
    }
    // As the library does: it asks once for each kind of token.
    for (const kind of kinds) await of(kind).revokeByGrantId(mine);
    for (const { kind, id, grant } of stored) {
      expect({ kind, found: (await of(kind).find(id)) !== undefined }).toEqual({ kind, found: grant === other });
    }
  });
});

/** Sessions are saved in one call of ours, which stands in for the library's upsert and the destroying of an old id. */
describe.each(['ours', "the library's"])('%s sessions', (name) => {
  const theirs = () => adapters["the library's"]?.('Session') as Adapter;
  const adapter = () => (name === 'ours' ? sessions.adapter : theirs());

  async function save(id: string, payload: AdapterPayload, loadedId?: string): Promise<void> {
    if (name !== 'ours') {
      if (loadedId !== undefined && loadedId !== id) await theirs().destroy(loadedId);
      await theirs().upsert(id, payload, LIFE);
      return;
    }
    const expiresAt = new Date(Number(payload.exp) * 1000);
    await sessions.save({ id, loadedId, payload, expiresAt, request: undefined, keepOnly: undefined });
  }

  function session(id: string): AdapterPayload & { uid: string } {
    return {
      kind: 'Session',
      jti: id,
      uid: randomToken(12),
      accountId: userId,
      loginTs: 1_700_000_000,
      acr: 'urn:postern:aal2',
      amr: ['pwd', 'otp'],
      authorizations: { app: { sid: 'sid-1', grantId: 'grant-1' }, other: { sid: 'sid-2' } },
      exp: Math.floor(Date.now() / 1000) + LIFE,
      iat: Math.floor(Date.now() / 1000),
    } as AdapterPayload & { uid: string };
  }

  test('are found by id and by uid, whole', async () => {
    const id = randomToken();
    const payload = session(id);
    await save(id, payload);
    expect(await adapter().find(id)).toEqual(payload);
    expect(await adapter().findByUid(payload.uid)).toMatchObject({ uid: payload.uid, accountId: userId });
    expect(await adapter().find(payload.uid)).toBeUndefined();
    expect(await adapter().findByUid(id)).toBeUndefined();
  });

  test('S74 a rotated id is dead, and the new one is alive', async () => {
    const [before, after] = [randomToken(), randomToken()];
    const payload = session(before);
    await save(before, payload);
    await save(after, { ...payload, jti: after }, before);
    expect(await adapter().find(before)).toBeUndefined();
    expect(await adapter().find(after)).toEqual({ ...payload, jti: after });
    expect(await adapter().findByUid(payload.uid)).toMatchObject({ uid: payload.uid });
  });

  test('S77 a destroyed one is found neither way', async () => {
    const id = randomToken();
    const payload = session(id);
    await save(id, payload);
    await adapter().destroy(id);
    expect(await adapter().find(id)).toBeUndefined();
    expect(await adapter().findByUid(payload.uid)).toBeUndefined();
  });
});

describe('what ours promises beyond that', () => {
  const of = (kind: string) => {
    const make = adapters.ours;
    if (!make) throw new Error('ours');
    return make(kind);
  };
  const rowsLike = (text: string) =>
    database.db.query<{ n: number }>('test-like', 'SELECT count(*)::int AS n FROM token t WHERE t::text LIKE $1', [
      `%${text}%`,
    ]);

  test.each(['AuthorizationCode', 'RefreshToken'])('S10 S29 %s: of 50 consumers one wins', async (kind) => {
    const [id, grant] = [randomToken(), randomToken()];
    await of(kind).upsert(id, payloadOf(kind, id, grant), LIFE);
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => of(kind).consume(id)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ error: 'invalid_grant' });
    }
    expect(await of(kind).find(id)).toBeUndefined();
  });

  test('S9 a token that is saved after its grant was revoked is born revoked', async () => {
    const [grant, id, late] = [randomToken(), randomToken(), randomToken()];
    await of('Grant').upsert(grant, payloadOf('Grant', grant, grant), LIFE);
    await of('RefreshToken').upsert(id, payloadOf('RefreshToken', id, grant), LIFE);
    await of('Grant').destroy(grant);
    await of('RefreshToken').upsert(late, payloadOf('RefreshToken', late, grant), LIFE);
    expect(await of('RefreshToken').find(late)).toBeUndefined();
  });

  test.each(Object.keys(KINDS))('S86 %s: its id is nowhere at rest', async (kind) => {
    const id = randomToken();
    const grant = randomToken();
    await of(kind).upsert(id, payloadOf(kind, id, grant), LIFE);
    if (kind !== 'Grant') expect(await rowsLike(id)).toEqual([{ n: 0 }]);
    expect(await of(kind).find(id)).toBeDefined();
  });

  test("S39 a JWT's row is not found by its public jti", async () => {
    const jti = randomToken();
    await database.db.query(
      'test-jwt-row',
      `INSERT INTO token (id_hash, kind, jti, format, client_id, scopes, created_at, expires_at)
       VALUES (sha256(convert_to($1, 'UTF8')), 'ClientCredentials', $1, 'jwt', 'x', '{}', now(), now() + interval '1 h')`,
      [jti],
    );
    expect(await of('ClientCredentials').find(jti)).toBeUndefined();
  });

  test('clients that sign in at the same time all stay in the session', async () => {
    const id = randomToken();
    const exp = Math.floor(Date.now() / 1000) + LIFE;
    const payload = { kind: 'Session', jti: id, uid: randomToken(12), accountId: userId, exp, iat: exp - LIFE };
    const at = { expiresAt: new Date(exp * 1000), request: undefined, keepOnly: undefined };
    await sessions.save({ id, loadedId: undefined, payload: payload as AdapterPayload, ...at });
    const names = Array.from({ length: 8 }, (_, index) => `app${index}`);
    await Promise.all(
      names.map((name) => {
        const authorizations = { [name]: { sid: `sid-${name}`, grantId: `grant-${name}` } };
        return sessions.save({ id, loadedId: id, payload: { ...payload, authorizations } as AdapterPayload, ...at });
      }),
    );
    const found = (await sessions.adapter.find(id)) as AdapterPayload;
    expect(Object.keys(found.authorizations ?? {}).sort()).toEqual(names);
  });

  test('S77 a request that began before the session ended does not bring it back', async () => {
    const id = randomToken();
    const exp = Math.floor(Date.now() / 1000) + LIFE;
    const payload = { kind: 'Session', jti: id, uid: randomToken(12), accountId: userId, exp, iat: exp - LIFE };
    const at = { expiresAt: new Date(exp * 1000), request: undefined, keepOnly: undefined };
    await sessions.save({ id, loadedId: undefined, payload: payload as AdapterPayload, ...at });
    await sessions.adapter.destroy(id);
    await sessions.save({ id: randomToken(), loadedId: id, payload: payload as AdapterPayload, ...at });
    expect(await sessions.adapter.findByUid(payload.uid)).toBeUndefined();
  });

  describe('S79 an interaction that a session follows from', () => {
    async function interaction() {
      const [id, exp] = [randomToken(), Math.floor(Date.now() / 1000) + LIFE];
      const result = { login: { accountId: userId } };
      const stored = {
        kind: 'Interaction',
        jti: id,
        exp,
        iat: exp - LIFE,
        returnTo: `https://x.example/${id}`,
        result,
      };
      await of('Interaction').upsert(id, stored as AdapterPayload, LIFE);
      return id;
    }

    function follow(from: string) {
      const [id, uid, grantId] = [randomToken(), randomToken(12), randomToken()];
      const exp = Math.floor(Date.now() / 1000) + LIFE;
      const common = { accountId: userId, exp, iat: exp - LIFE };
      const granted = { kind: 'Grant', jti: grantId, clientId: 'app', openid: { scope: 'openid' }, ...common };
      const saved = sessions.save({
        id,
        loadedId: undefined,
        payload: { kind: 'Session', jti: id, uid, ...common } as AdapterPayload,
        expiresAt: new Date(exp * 1000),
        request: undefined,
        keepOnly: undefined,
        interaction: from,
        grant: { ...toTokenRow('Grant', grantId, granted as AdapterPayload, { format: 'opaque' }), grant_id: grantId },
      });
      const parts = async () => [await sessions.adapter.findByUid(uid), await of('Grant').find(grantId)];
      return { saved, parts };
    }

    test('gives one, with its grant, to one of many', async () => {
      const id = await interaction();
      const tries = Array.from({ length: 20 }, () => follow(id));
      const results = await Promise.allSettled(tries.map(({ saved }) => saved));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const found = await Promise.all(tries.map(({ parts }) => parts()));
      expect(found.flat().filter((part) => part !== undefined)).toHaveLength(2);
      expect(await of('Interaction').find(id)).toBeUndefined();
    });

    test('gives none after all that the person began was ended', async () => {
      const id = await interaction();
      await database.db.query('test-end', 'UPDATE token SET revoked_at = now() WHERE user_id = $1', [userId]);
      const { saved, parts } = follow(id);
      await expect(saved).rejects.toMatchObject({ name: 'SessionNotFound' });
      expect(await parts()).toEqual([undefined, undefined]);
    });
  });
});
