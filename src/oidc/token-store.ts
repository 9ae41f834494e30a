import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { newId } from '../kernel/ids.ts';
import type { Audit } from '../platform/audit/audit.ts';
import type { Database } from '../platform/db/database.ts';
import { factsOf } from './client-facts.ts';
import { exchangedColumns, exchangeOf } from './exchange-note.ts';
import { readOfInteraction } from './interaction-reads.ts';
import { forgetReads, readTogether } from './request-reads.ts';
import { deferEnd, deferGrant, deferWrite, isAllowedAlias } from './request-writes.ts';
import { type TokenReads, toPayload } from './token-reads.ts';
import { hashOf, JWT_ALIAS, type TokenRow, text, toTokenRow } from './token-row.ts';

/** Issued to clients: their rows become durable with the audit event, before the reply. */
const ISSUED = new Set(['AccessToken', 'AuthorizationCode', 'ClientCredentials', 'RefreshToken']);

const UPSERT = `INSERT INTO token (id_hash, kind, jti, user_id, client_id, grant_id, session_uid, scopes, audience,
    created_at, expires_at, payload)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  ON CONFLICT (id_hash) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at,
    user_id = excluded.user_id, grant_id = excluded.grant_id, session_uid = excluded.session_uid
  WHERE token.revoked_at IS NULL`;

/** One winner: of any number of parallel uses exactly one changes the row (RFC 6749 sections 4.1.2 and 10.5). */
const CONSUME = 'UPDATE token SET consumed_at = now() WHERE id_hash = $1 AND consumed_at IS NULL RETURNING grant_id';
const GRANT_OF = 'SELECT grant_id FROM token WHERE id_hash = $1';
/** A JWT that was found by its alias is named by its jti from then on. */
const DESTROY = 'UPDATE token SET revoked_at = now() WHERE id_hash = ANY($1::bytea[]) AND revoked_at IS NULL';
/**
 * In two steps, each of which sees what was committed before it: a token that is being inserted at this moment either
 * waits for the first and is born revoked (see insertTokens), or is there for the second.
 */
const END_GRANT = "UPDATE token SET revoked_at = now() WHERE grant_id = $1 AND kind = 'Grant' AND revoked_at IS NULL";
const REVOKE_GRANT = 'UPDATE token SET revoked_at = now() WHERE grant_id = $1 AND revoked_at IS NULL';

/** jsonb holds neither NUL nor half of a surrogate pair. JSON.stringify escapes both, and a backslash as two of them. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** An interaction's uid is what its cookie holds, and the session's id what that cookie holds: neither is stored. */
function withoutCookies(payload: AdapterPayload, id: string): AdapterPayload {
  const returnTo = payload.returnTo?.replace(id, '{uid}');
  const session = payload.session ? { ...payload.session, cookie: undefined } : undefined;
  return { ...payload, ...(returnTo ? { returnTo } : {}), ...(session ? { session } : {}) } as AdapterPayload;
}

/**
 * Who signed in within an interaction: the library makes a session of it when the browser comes back. Where all sessions
 * of that person end meanwhile, the interaction ends with them.
 */
function signedInBy({ result, lastSubmission }: AdapterPayload): string | undefined {
  const { login } = (result ?? lastSubmission ?? {}) as { login?: { accountId?: unknown } };
  return text(login?.accountId);
}

export function interactionRow(id: string, payload: AdapterPayload): TokenRow {
  const row = toTokenRow('Interaction', id, withoutCookies(payload, id), { format: 'opaque' });
  return { ...row, session_uid: text(payload.session?.uid), user_id: signedInBy(payload) };
}

/** Everything that the library stores, but sessions and clients: rows of one table, found by a digest of their id. */
export function createTokenStore(deps: { db: Database; audit: Audit; reads: TokenReads }): (kind: string) => Adapter {
  const { db, audit } = deps;
  const { read } = deps.reads;

  async function revokeByGrantId(grantId: string): Promise<void> {
    forgetReads(Provider.ctx);
    await db.query('token-end-grant', END_GRANT, [grantId]);
    await db.query('token-revoke-grant', REVOKE_GRANT, [grantId]);
  }

  return (kind) => ({
    async upsert(id, payload) {
      const account = kind === 'ClientCredentials' ? factsOf(Provider.ctx?.oidc.client).serviceAccount : undefined;
      const owner = account ? { serviceAccountId: account.id } : {};
      const row =
        kind === 'Interaction'
          ? interactionRow(id, payload)
          : toTokenRow(kind, id, payload, { format: 'opaque', ...owner });
      Object.assign(row, ISSUED.has(kind) && exchangedColumns(exchangeOf(Provider.ctx)));
      if (kind === 'Grant') {
        row.grant_id = id;
        forgetReads(Provider.ctx);
      }
      // What a client asks for (`claims`, `nonce`) is stored as it came.
      if (UNSTORABLE.test(JSON.stringify(row.payload))) throw new errors.InvalidRequest('malformed characters');
      if (kind === 'Grant' && deferGrant(Provider.ctx, row)) return;
      if (ISSUED.has(kind)) {
        if (!deferWrite(Provider.ctx, row)) await audit.commit([], [row]);
        return;
      }
      await db.query('token-upsert', UPSERT, [
        hashOf(id),
        row.kind,
        row.jti,
        row.user_id,
        row.client_id,
        row.grant_id,
        row.session_uid,
        row.scopes,
        row.audience,
        row.created_at,
        row.expires_at,
        row.payload,
      ]);
    },

    async find(id) {
      if (id.startsWith(JWT_ALIAS) && !isAllowedAlias(Provider.ctx, id)) return undefined;
      const { grant } = readTogether(Provider.ctx);
      if (kind === 'Grant' && grant?.id === id) return grant.payload;
      const row = await ((kind === 'Interaction' && readOfInteraction()?.(id)) || read(kind, id));
      if (row?.kind !== kind) return undefined;
      // A JWT's row answers to its alias alone: its jti is public and must not work as an opaque value.
      if (row.format === 'jwt' && !id.startsWith(JWT_ALIAS)) return undefined;
      const payload = toPayload(row, id);
      if (kind === 'Interaction' && payload.returnTo) payload.returnTo = payload.returnTo.replace('{uid}', id);
      return payload;
    },

    async consume(id) {
      const [won] = await db.query<{ grant_id: string | null }>('token-consume', CONSUME, [hashOf(id)]);
      if (won) return;
      // Used before, or by somebody else at this very moment: the whole grant dies (RFC 9700 section 4.14.2).
      const [row] = await db.query<{ grant_id: string | null }>('token-grant-of', GRANT_OF, [hashOf(id)]);
      if (row?.grant_id) await revokeByGrantId(row.grant_id);
      throw new errors.InvalidGrant('already used');
    },

    async destroy(id) {
      if (kind === 'Interaction' && deferEnd(Provider.ctx, id)) return;
      await db.query('token-destroy', DESTROY, [[hashOf(id), hashOf(`${JWT_ALIAS}${id}`)]]);
      if (kind === 'Grant') await revokeByGrantId(id);
    },

    async revokeByGrantId(grantId) {
      // The library asks once per model; the rows of all of them are ended by one statement.
      if (kind !== 'AccessToken') return;
      // Revoking one access token (RFC 7009 section 2.1) leaves the refresh token and its other tokens alone.
      const oidc = Provider.ctx?.oidc;
      if (oidc?.route === 'revocation' && oidc.entities.AccessToken) return;
      await revokeByGrantId(grantId);
    },

    // The device flow and session lookups by uid have stores of their own; nothing else is found this way.
    async findByUid() {
      return undefined;
    },
    async findByUserCode() {
      return undefined;
    },
  });
}

/** RFC 7523 section 3 and RFC 9449 section 11.1: a jti counts once, whoever of all processes sees it first. */
export async function claimJti(db: Database, id: string, issuer: string, expiresAt: Date, now: Date): Promise<boolean> {
  const rows = await db.query(
    'token-claim-jti',
    `INSERT INTO token (id_hash, kind, jti, client_id, scopes, created_at, expires_at)
     VALUES ($1, 'ReplayDetection', $2, $3, '{}', $4, $5) ON CONFLICT (id_hash) DO NOTHING RETURNING 1`,
    [hashOf(id), newId(), issuer, now, expiresAt],
  );
  return rows.length === 1;
}
