import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PlainEndpoint } from '../../platform/web/front.ts';
import { json, type PlainAnswer, unavailable } from '../../platform/web/plain-answer.ts';
import type { AccessTokenVerifier } from '../access-token-verifier.ts';
import type { LastUse } from '../client-auth/last-use.ts';
import type { ClientRecord, ClientSource } from '../client-source.ts';
import { mayIntrospect } from '../introspection-policy.ts';
import { knownAs } from '../structured-tokens.ts';
import type { FoundTogether, TokenReads } from '../token-reads.ts';
import { isLive } from './live-token.ts';
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
    const known = await knownAs(token, verifier());
    const found = known && (await reads.withGrant(known.id));
    // A JWT's row answers to its alias alone: its jti is public and must not work as an opaque value.
    return found?.row.format === known?.format ? found : undefined;
  }

  async function answer(token: string, caller: ClientRecord): Promise<PlainAnswer | undefined> {
    const found = await find(token);
    // Refresh tokens, and what holds authorization details, are the library's.
    if (found?.row.kind === 'RefreshToken' || found?.row.payload?.rar !== undefined) return undefined;
    if (!found || !isLive(found, epochSeconds(clock))) return json(200, INACTIVE);
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
