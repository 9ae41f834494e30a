import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PlainEndpoint } from '../../platform/web/front.ts';
import { json, type PlainAnswer, unavailable } from '../../platform/web/plain-answer.ts';
import { type AccessTokenVerifier, isOpaque } from '../access-token-verifier.ts';
import type { LastUse } from '../client-auth/last-use.ts';
import type { ClientRecord, ClientSource } from '../client-source.ts';
import { mayIntrospect } from '../introspection-policy.ts';
import type { FoundTogether, TokenReads } from '../token-reads.ts';
import { JWT_ALIAS } from '../token-row.ts';
import { provenBySecret, readPlainForm } from './plain-client.ts';

/**
 * Whether a token is active (RFC 7662), for callers with a generated secret: gateways and services ask it for each call
 * that they get. As with client credentials, whatever is not plain in every part goes on to the library, and a
 * differential test holds both to the same answers.
 */
export function createDirectIntrospection(deps: {
  issuer: string;
  clock: Clock;
  clients: ClientSource;
  reads: Pick<TokenReads, 'withGrant'>;
  /** The verifier of the present keys. */
  verifier: () => AccessTokenVerifier;
  lastUse: Pick<LastUse, 'secret'>;
}): PlainEndpoint {
  const { issuer, clock, clients, reads, verifier, lastUse } = deps;

  async function find(token: string): Promise<FoundTogether | undefined> {
    if (isOpaque(token)) {
      const found = await reads.withGrant(token);
      // A JWT's row answers to its alias alone: its jti is public and must not work as an opaque value.
      return found?.row.format === 'jwt' ? undefined : found;
    }
    const claims = await verifier()(token);
    return claims && reads.withGrant(`${JWT_ALIAS}${claims.jti}`);
  }

  async function answer(token: string, caller: ClientRecord): Promise<PlainAnswer | undefined> {
    const found = await find(token);
    // Refresh tokens, and what holds authorization details, are the library's.
    if (found?.row.kind === 'RefreshToken' || found?.row.payload?.rar !== undefined) return undefined;
    if (!found || !isActive(found, epochSeconds(clock))) return json(200, INACTIVE);
    const { row } = found;
    const asking = { clientId: caller.metadata.client_id, isPublic: false, facts: caller.facts };
    const about = { clientId: row.client_id ?? undefined, audience: row.audience ?? undefined };
    // The client of a token may have been disabled since the token was read.
    const told = mayIntrospect(asking, about) && (await clients.find(row.client_id ?? '')) !== undefined;
    return json(200, told ? describe(found, issuer) : INACTIVE);
  }

  return async ({ req, body }) => {
    if (!PLAIN_ACCEPT.test(req.headers.accept ?? '')) return undefined;
    const form = readPlainForm(req, body, NAMES);
    const token = form?.params.get('token');
    if (!form || token === undefined) return undefined;
    try {
      const client = await clients.find(form.clientId);
      const digest = client && provenBySecret(client, form.secret, epochSeconds(clock));
      if (!client || digest === undefined) return undefined;
      lastUse.secret(form.clientId, digest);
      return await answer(token, client);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return unavailable(error);
    }
  };
}

const NAMES = new Set(['token', 'token_type_hint']);
/** Whoever wants a signed answer (RFC 9701) says so. */
const PLAIN_ACCEPT = /^(?:|\*\/\*|application\/json)$/;
const INACTIVE = { active: false };
const KINDS = new Set(['AccessToken', 'ClientCredentials']);

function isActive({ row, grant, session }: FoundTogether, now: number): boolean {
  if (!KINDS.has(row.kind) || row.consumed !== null || row.exp <= now) return false;
  // A grant is its client's: an exchanged token (RFC 8693) ends with one that is another client's.
  const grantId = row.parent_jti === null ? (row.grant_id ?? undefined) : undefined;
  if (grantId !== undefined) {
    const its = grant?.payload;
    if (!its || Number(its.exp) <= now || its.clientId !== row.client_id || its.accountId !== row.user_id) return false;
  }
  if (row.payload?.expiresWithSession !== true) return true;
  const its = session?.payload;
  return its?.accountId === row.user_id && its?.authorizations?.[row.client_id ?? '']?.grantId === grantId;
}

function describe({ row }: FoundTogether, issuer: string): object {
  const {
    extra,
    sid,
    jkt,
    'x5t#S256': x5t,
  } = (row.payload ?? {}) as {
    extra?: object;
    sid?: string;
    jkt?: string;
    'x5t#S256'?: string;
  };
  const bound = x5t !== undefined || jkt !== undefined;
  return {
    active: true,
    ...(row.user_id === null ? {} : { sub: row.user_id }),
    ...extra,
    client_id: row.client_id,
    exp: row.exp,
    iat: row.iat,
    ...(sid === undefined ? {} : { sid }),
    iss: issuer,
    ...(row.format === 'jwt' ? { jti: row.jti } : {}),
    ...(row.audience === null ? {} : { aud: row.audience }),
    ...(row.scopes.length > 0 ? { scope: row.scopes.join(' ') } : {}),
    ...(bound
      ? { cnf: { ...(x5t === undefined ? {} : { 'x5t#S256': x5t }), ...(jkt === undefined ? {} : { jkt }) } }
      : {}),
    token_type: jkt === undefined ? 'Bearer' : 'DPoP',
  };
}
