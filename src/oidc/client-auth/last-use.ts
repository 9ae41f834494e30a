import type { Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';

/**
 * When clients, their secrets and workload trusts were last used. Kept in memory and written in batches, so that no token request waits
 * for it; what a process that is killed had not written is lost.
 */
export interface LastUse {
  /** A client proved itself. */
  client(clientId: string): void;
  /** It did so with this secret, by its SHA-256 in hex. */
  secret(clientId: string, digest: string): void;
  /** A workload proved itself by this trust entry. */
  trust(trustId: string): void;
  /** Writes what came together; after a failure it is kept for the next time. Never rejects. */
  flush(): Promise<void>;
  /** Writes for the last time. */
  close(): Promise<void>;
}

const EVERY_MS = 30_000;

// Processes write the same rows, about the same time: one that another holds is passed over, so that none waits in a circle. A row
// that another process has brought further stays as it is.
const SECRETS = `WITH used AS (
    SELECT decode(name, 'hex') AS secret_hash, at FROM json_to_recordset($1::json) AS x(name text, at timestamptz)),
  held AS (
    SELECT s.id, u.at FROM client_secret s JOIN used u ON u.secret_hash = s.secret_hash
    WHERE s.last_used_at IS NULL OR s.last_used_at < u.at FOR NO KEY UPDATE OF s SKIP LOCKED)
  UPDATE client_secret s SET last_used_at = held.at FROM held WHERE s.id = held.id`;

const ACCOUNTS = `WITH used AS (
    SELECT name AS client_id, at FROM json_to_recordset($1::json) AS x(name text, at timestamptz)),
  held AS (
    SELECT a.id, u.at FROM service_account a JOIN used u ON u.client_id = a.client_id
    WHERE a.last_used_at IS NULL OR a.last_used_at < u.at FOR NO KEY UPDATE OF a SKIP LOCKED)
  UPDATE service_account a SET last_used_at = held.at FROM held WHERE a.id = held.id`;

const TRUSTS = `WITH used AS (
    SELECT name::uuid AS id, at FROM json_to_recordset($1::json) AS x(name text, at timestamptz)),
  held AS (
    SELECT t.id, u.at FROM workload_trust t JOIN used u ON u.id = t.id
    WHERE t.last_used_at IS NULL OR t.last_used_at < u.at ORDER BY t.id FOR NO KEY UPDATE OF t)
  UPDATE workload_trust t SET last_used_at = held.at FROM held WHERE t.id = held.id`;

export function createLastUse(deps: { db: Database; clock: Clock; log: Log; everyMs?: number }): LastUse {
  const { db, clock, log, everyMs = EVERY_MS } = deps;
  const waiting = {
    secrets: new Map<string, Date>(),
    accounts: new Map<string, Date>(),
    trusts: new Map<string, Date>(),
  };
  let writing = Promise.resolve();

  async function write(name: string, text: string, from: Map<string, Date>): Promise<void> {
    if (from.size === 0) return;
    const entries = [...from];
    from.clear();
    try {
      await db.query(name, text, [JSON.stringify(entries.map(([of, at]) => ({ name: of, at: at.toISOString() })))]);
    } catch (error) {
      for (const [of, at] of entries) if (!from.has(of)) from.set(of, at);
      log.warn({ err: error }, 'the last use of clients could not be written; it is tried again');
    }
  }

  function flush(): Promise<void> {
    writing = writing.then(async () => {
      await write('use.secrets', SECRETS, waiting.secrets);
      await write('use.accounts', ACCOUNTS, waiting.accounts);
      await write('use.trusts', TRUSTS, waiting.trusts);
    });
    return writing;
  }

  const timer = setInterval(flush, everyMs);
  timer.unref();

  return {
    client(clientId) {
      waiting.accounts.set(clientId, clock.now());
    },
    secret(clientId, digest) {
      waiting.secrets.set(digest, clock.now());
      waiting.accounts.set(clientId, clock.now());
    },
    trust(trustId) {
      waiting.trusts.set(trustId, clock.now());
    },
    flush,
    close() {
      clearInterval(timer);
      return flush();
    },
  };
}

/** By a key or a certificate; for a secret its comparison says so. */
const BY_KEY = new Set(['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']);
/** Where the client itself asks. Elsewhere it is the one whom a token was issued to. */
const ASKED_BY_CLIENT = new Set([
  'token',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
  'backchannel_authentication',
]);
/** What may be said before the proof was looked at. */
const UNPROVEN = new Set(['invalid_client', 'invalid_request']);

/** Runs around the library: a request that was not refused for its proof was proven. */
export function recordKeyUse(lastUse: Pick<LastUse, 'client'>): Middleware {
  return async (ctx, next) => {
    await next();
    const { client, route } = (ctx as unknown as Partial<KoaContextWithOIDC>).oidc ?? {};
    if (!client || !BY_KEY.has(client.clientAuthMethod ?? '') || !ASKED_BY_CLIENT.has(route ?? '')) return;
    const { error } = (ctx.body ?? {}) as { error?: unknown };
    if (ctx.status >= 500 || UNPROVEN.has(String(error))) return;
    lastUse.client(client.clientId);
  };
}
