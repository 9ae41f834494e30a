import type { IncomingHttpHeaders } from 'node:http';
import { type Clock, epochSeconds } from '../../kernel/clock.ts';
import { AppError } from '../../kernel/errors.ts';
import type { PlainEndpoint } from '../../platform/web/front.ts';
import { json, type PlainAnswer, unavailable } from '../../platform/web/plain-answer.ts';
import type { AccountRecord } from '../account-row.ts';
import { CLAIMS, maySpeakOf, personClaims } from '../claims.ts';
import type { ClientSource } from '../client-source.ts';
import type { FoundTogether, TokenReads } from '../token-reads.ts';
import { isLive } from './live-token.ts';
import { asksForMore, openToPages } from './plain-client.ts';

/**
 * What a person's token says of them (OpenID Connect Core section 5.3), for a bearer token that its scopes alone decide
 * on. Bound tokens, single claims, signed answers, pages of other origins and every refusal are the library's; a
 * differential test holds both to the same answers.
 */
export function createDirectUserinfo(deps: {
  clock: Clock;
  clients: ClientSource;
  reads: Pick<TokenReads, 'withPerson'>;
}): PlainEndpoint {
  const { clock, clients, reads } = deps;

  async function answer(token: string): Promise<PlainAnswer | undefined> {
    const found = await reads.withPerson(token);
    const scopes = found && isLive(found, epochSeconds(clock)) ? scopesOf(found) : undefined;
    const record = found?.account?.record;
    if (!scopes || !record) return undefined;
    const client = await clients.find(found.row.client_id ?? '');
    if (!client || !maySpeakOf(record, client.facts)) return undefined;
    const { userinfo_signed_response_alg: signed, userinfo_encrypted_response_alg: encrypted } = client.metadata;
    if (signed !== undefined || encrypted !== undefined) return undefined;
    return json(200, claimsOf(record, scopes), OPEN);
  }

  return async ({ req, body }) => {
    // A body says nothing here, whatever it holds: the token comes in the header alone.
    const token = body === 'too_large' ? undefined : bearerOf(req.headers);
    if (token === undefined) return undefined;
    try {
      return await answer(token);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return unavailable(error, OPEN);
    }
  };
}

const OPEN = openToPages('DPoP-Nonce,WWW-Authenticate');
/** RFC 6750 section 2.1, an opaque token of ours: JWTs are for APIs. */
const BEARER = /^bearer ([\w-]{1,200})$/i;

function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  return asksForMore(headers) ? undefined : BEARER.exec(headers.authorization ?? '')?.[1];
}

interface GrantPayload {
  openid?: { scope?: string };
  rejected?: { openid?: object };
}

/** Of a live token: those of its scopes that the grant has. Undefined where they do not say all of it. */
function scopesOf({ row, grant }: FoundTogether): string[] | undefined {
  const { claims, jkt, 'x5t#S256': x5t } = row.payload ?? {};
  const isOfPerson = row.kind === 'AccessToken' && row.format === 'opaque' && row.parent_jti === null;
  if (!isOfPerson || row.audience !== null || !row.scopes.includes('openid')) return undefined;
  if (claims !== undefined || jkt !== undefined || x5t !== undefined) return undefined;
  const granted = grant?.payload as GrantPayload | undefined;
  if (!granted || granted.rejected?.openid !== undefined) return undefined;
  return (granted.openid?.scope ?? '').split(' ').filter((scope) => row.scopes.includes(scope));
}

function claimsOf(record: AccountRecord, scopes: string[]): object {
  const all = personClaims(record);
  const named = scopes.flatMap((scope) => (CLAIMS as Record<string, string[]>)[scope] ?? []);
  return Object.fromEntries(named.filter((name) => name in all).map((name) => [name, all[name]]));
}
