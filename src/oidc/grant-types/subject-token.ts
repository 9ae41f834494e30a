import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import { type AccessTokenVerifier, isOpaque } from '../access-token-verifier.ts';
import { type AccountRow, selectAccount, toAccount } from '../account-row.ts';
import type { ClientSource } from '../client-source.ts';
import type { Act, ExchangeSubject } from '../exchange-note.ts';
import { hashOf, JWT_ALIAS } from '../token-row.ts';

/** An access token of our own that is alive, with whom it speaks for. */
export interface SubjectToken {
  /** Of its row; for an opaque token a name that opens nothing. */
  jti: string;
  format: 'opaque' | 'jwt';
  clientId: string;
  audience: string;
  scopes: string[];
  /** Seconds since the epoch. */
  exp: number;
  act: Act | undefined;
  mayAct: unknown;
  /** It can be used by the holder of a key only (RFC 8705 section 3, RFC 9449 section 6). */
  bound: boolean;
  subject: ExchangeSubject;
  /** What the person allowed the application in front; undefined where that is our own or there is no person. */
  consented: string[] | undefined;
  /** Of the person's token, for the new row: it ends with what the subject token ends with. */
  grantId: string | undefined;
  sessionUid: string | undefined;
  endsWithSession: boolean;
  sid: string | undefined;
}

/** Why a token that was presented does not count: for the event, and not for whoever presented it. */
export interface Refusal {
  refused: string;
}

export interface SubjectTokens {
  /** One statement, once the clients are known. */
  find(token: string): Promise<SubjectToken | Refusal>;
}

/** The client of the grant is the application that the person signed in to, however many services acted since. */
const FIND = `SELECT t.kind, t.jti, t.format, t.user_id, t.service_account_id, t.client_id, t.session_uid, t.scopes,
    t.audience, t.payload, t.grant_id, floor(extract(epoch FROM t.expires_at))::float8 AS exp, g.client_id AS began_at,
    t.payload->'expiresWithSession' = 'true'::jsonb
      AND NOT EXISTS (SELECT 1 FROM session s WHERE s.uid = t.session_uid AND s.expires_at > $2) AS session_ended,
    CASE WHEN t.user_id IS NOT NULL THEN
      (SELECT row_to_json(a) FROM (${selectAccount('t.user_id', 'g.client_id')}) a) END AS account
  FROM token t
  LEFT JOIN token g ON g.id_hash = sha256(convert_to(t.grant_id, 'UTF8')) AND g.kind = 'Grant'
    AND g.user_id = t.user_id AND g.revoked_at IS NULL AND g.expires_at > $2
  WHERE t.id_hash = $1 AND t.revoked_at IS NULL AND t.consumed_at IS NULL AND t.expires_at > $2`;

interface Row {
  kind: string;
  jti: string;
  format: 'opaque' | 'jwt';
  user_id: string | null;
  service_account_id: string | null;
  client_id: string | null;
  session_uid: string | null;
  scopes: string[];
  audience: string | null;
  payload: {
    extra?: Extra;
    sid?: string;
    jkt?: string;
    'x5t#S256'?: string;
    expiresWithSession?: boolean;
  } | null;
  grant_id: string | null;
  exp: number;
  began_at: string | null;
  session_ended: boolean | null;
  account: AccountRow | null;
}

interface Extra {
  sub?: string;
  act?: Act;
  may_act?: unknown;
  auth_time?: number;
  acr?: string;
  amr?: string[];
}

export function createSubjectTokens(deps: {
  db: Database;
  clock: Clock;
  clients: ClientSource;
  verify: AccessTokenVerifier;
}): SubjectTokens {
  const { db, clock, clients, verify } = deps;

  async function rowOf(token: string): Promise<Row | Refusal> {
    // A JWT's row answers to its signature alone: no opaque value looks like the alias that it is found by.
    const id = isOpaque(token) ? token : await verify(token).then((claims) => claims && JWT_ALIAS + claims.jti);
    if (id === undefined) return { refused: 'it is no JWT access token of ours, or has expired' };
    const [row] = await db.query<Row>('token-find-subject', FIND, [hashOf(id), clock.now()]);
    return row ?? { refused: 'it is unknown, expired or revoked' };
  }

  async function personOf(row: Row): Promise<{ subject: ExchangeSubject; consented: string[] | undefined } | Refusal> {
    if (row.session_ended) return { refused: 'its session has ended' };
    if (row.began_at === null) return { refused: 'its grant has ended' };
    if (!row.account) return { refused: 'its person may not sign in' };
    const beganAt = await clients.find(row.began_at);
    if (!beganAt) return { refused: 'the application that it began at is disabled' };
    const account = toAccount(row.account);
    if (!beganAt.facts.firstParty && account.consented === undefined) return { refused: 'consent was withdrawn' };
    const { auth_time: authTime, acr, amr } = row.payload?.extra ?? {};
    const signIn = { ...(authTime && { authTime }), ...(acr && { acr }), ...(amr && { amr }) };
    return {
      subject: { type: 'user', id: account.id, name: account.email, account, signIn },
      consented: beganAt.facts.firstParty ? undefined : account.consented,
    };
  }

  async function serviceOf(row: Row): Promise<{ subject: ExchangeSubject; consented: undefined } | Refusal> {
    const sub = row.payload?.extra?.sub ?? row.client_id ?? '';
    const facts = (await clients.find(sub))?.facts;
    if (!facts?.serviceAccount || facts.serviceAccount.id !== row.service_account_id) {
      return { refused: 'its service account is disabled' };
    }
    return { subject: { type: 'service_account', ...facts.serviceAccount, sub, facts }, consented: undefined };
  }

  return {
    async find(token) {
      const row = await rowOf(token);
      if ('refused' in row) return row;
      const { kind, jti, format, audience, scopes, exp, payload } = row;
      if (kind !== 'AccessToken' && kind !== 'ClientCredentials') return { refused: `it is a ${kind}` };
      if (audience === null) return { refused: 'it is for no API' };
      const clientId = row.client_id ?? '';
      if (!(await clients.find(clientId))) return { refused: 'the client that holds it is disabled' };
      const found = row.user_id === null ? await serviceOf(row) : await personOf(row);
      if ('refused' in found) return found;
      return {
        ...found,
        jti,
        format,
        clientId,
        audience,
        scopes,
        exp,
        act: payload?.extra?.act,
        mayAct: payload?.extra?.may_act,
        bound: payload?.jkt !== undefined || payload?.['x5t#S256'] !== undefined,
        grantId: row.grant_id ?? undefined,
        sessionUid: row.session_uid ?? undefined,
        endsWithSession: payload?.expiresWithSession === true,
        sid: payload?.sid,
      };
    },
  };
}
