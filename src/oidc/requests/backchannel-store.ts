import Provider, { type Adapter, errors } from 'oidc-provider';
import type { Clock } from '../../kernel/clock.ts';
import { epochSeconds } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { PosternAccount } from '../claims.ts';
import { requestOf } from '../request-of.ts';
import { type FoundRow, tokenColumns, toPayload } from '../token-reads.ts';
import { hashOf, toTokenRow } from '../token-row.ts';
import { keepNotice } from './backchannel-notice.ts';

export const KIND = 'BackchannelAuthenticationRequest';

/** Seconds between two polls (CIBA Core section 7.3), less what a network may take from them. */
const INTERVAL = 5 - 1;
/** Requests for one person: open at once, and in an hour. More of them are an attack on their patience. */
const MOST_OPEN = 5;
const MOST_AN_HOUR = 20;
/** Of these, what one application may take: it can't keep the others from the person. */
const MOST_OPEN_OF_ONE = 3;
const MOST_AN_HOUR_OF_ONE = 12;
/** Rows are kept so long, to count them; a request itself is open for as long as `goodUntil` says. */
const KEPT = 3600;

/** A poll takes the turn; one that comes too early changes nothing. Parallel polls have one winner. */
const POLL = `UPDATE token t SET payload = t.payload || jsonb_build_object('nextPoll', $3::float8 + $4::float8)
  WHERE t.id_hash = $1 AND t.kind = '${KIND}' AND t.client_id = $2 AND t.consumed_at IS NULL AND t.revoked_at IS NULL
    AND coalesce((t.payload->>'nextPoll')::float8, 0) <= $3
  RETURNING ${tokenColumns}`;
const IS_OPEN = `SELECT 1 FROM token
  WHERE id_hash = $1 AND kind = '${KIND}' AND client_id = $2 AND consumed_at IS NULL AND revoked_at IS NULL`;
/** One winner. A poll that lost is answered, and ends nothing: only the client itself can have sent it. */
const CONSUME = 'UPDATE token SET consumed_at = now() WHERE id_hash = $1 AND consumed_at IS NULL RETURNING 1';

/** What is kept of a request. Hints and texts that nobody is shown are not. */
function keptOf(params: unknown): Record<string, unknown> {
  const { binding_message, authorization_details } = (params ?? {}) as Record<string, unknown>;
  return {
    ...(typeof binding_message === 'string' ? { binding_message } : {}),
    ...(typeof authorization_details === 'string' ? { authorization_details } : {}),
  };
}

/** Requests for approval on another device, over the store of tokens; found by the digest of auth_req_id. */
export function createBackchannelStore(rows: Adapter, deps: { db: Database; clock: Clock }): Adapter {
  const { db, clock } = deps;

  return {
    ...rows,

    async upsert(id, payload) {
      const ctx = Provider.ctx;
      const { client } = ctx?.oidc ?? {};
      const account = ctx?.oidc.entities.Account as PosternAccount | undefined;
      if (!ctx || !client || !account) throw new Error('a backchannel request was stored outside of its endpoint');
      const iat = Number(payload.iat);
      const kept = {
        ...payload,
        params: keptOf(payload.params),
        clientId: client.clientId,
        address: requestOf(ctx)?.address,
        goodUntil: payload.exp,
        exp: iat + KEPT,
      };
      const row = toTokenRow(KIND, id, kept, { format: 'opaque' });
      const person = `backchannel|${account.accountId}`;
      const stored = await db.tx(async (tx) => {
        // One after the other, so that each count sees the ones before.
        await tx.$queryRaw`SELECT count(pg_advisory_xact_lock(hashtextextended(${person}, 2)))`;
        return tx.$executeRaw`
          INSERT INTO token SELECT r.* FROM json_populate_record(NULL::token, ${JSON.stringify(row)}::json) r,
            (SELECT count(*) AS recent, count(*) FILTER (WHERE own) AS own_recent,
                count(*) FILTER (WHERE open) AS open, count(*) FILTER (WHERE open AND own) AS own_open
              FROM (SELECT client_id = ${client.clientId} AS own, consumed_at IS NULL AND revoked_at IS NULL
                    AND (payload->>'goodUntil')::float8 > ${iat}::float8 AND NOT payload ? 'decided' AS open
                  FROM token WHERE kind = 'BackchannelAuthenticationRequest' AND user_id = ${account.accountId}::uuid
                    AND created_at > to_timestamp(${iat}::float8 - ${KEPT}::float8)) asked) n
          WHERE n.open < ${MOST_OPEN} AND n.recent < ${MOST_AN_HOUR}
            AND n.own_open < ${MOST_OPEN_OF_ONE} AND n.own_recent < ${MOST_AN_HOUR_OF_ONE}`;
      });
      if (stored === 0) throw new errors.AccessDenied('this person is asked too often: try again later');
      const message = kept.params.binding_message;
      keepNotice(ctx, {
        id: row.jti,
        person: account.record,
        application: client.clientName ?? client.clientId,
        bindingMessage: typeof message === 'string' ? message : undefined,
      });
    },

    /** What a poll gets to see. One that is too early is told so, whatever became of the request. */
    async find(id) {
      const clientId = Provider.ctx?.oidc.client?.clientId;
      if (clientId === undefined) return undefined;
      const [row] = await db.query<FoundRow>('backchannel-poll', POLL, [
        hashOf(id),
        clientId,
        epochSeconds(clock),
        INTERVAL,
      ]);
      if (row) return { ...toPayload(row, id), exp: Number(row.payload?.goodUntil) };
      const open = await db.query('backchannel-open', IS_OPEN, [hashOf(id), clientId]);
      if (open.length > 0) throw new errors.SlowDown();
      return undefined;
    },

    async consume(id) {
      const won = await db.query('backchannel-consume', CONSUME, [hashOf(id)]);
      if (won.length === 0) throw new errors.InvalidGrant('already used');
    },
  };
}
