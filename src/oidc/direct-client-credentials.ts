import type { IncomingMessage } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { epochSeconds } from '../kernel/clock.ts';
import { AppError } from '../kernel/errors.ts';
import type { PlainEndpoint } from '../platform/web/front.ts';
import { unavailable } from '../platform/web/plain-answer.ts';
import type { LastUse } from './client-auth/last-use.ts';
import type { ClientRecord, ClientSource } from './client-source.ts';
import { matchingDigest } from './internals.ts';
import { grantedTo, type ServiceTokens } from './service-token.ts';

/**
 * The plain form of the client credentials grant (RFC 6749 section 4.4), which services send all day: a generated
 * secret, a token for one API. It needs nothing of the library's state, so it is answered here, at a fraction of the
 * cost, when every part of the request is in order. Whatever is not, or asks for more, goes on to the library with its
 * body as it came: refusals have one place. A differential test holds both to the same answers, rows and events.
 */
export function createDirectClientCredentials(deps: {
  clock: Clock;
  clients: ClientSource;
  serviceTokens: ServiceTokens;
  lastUse: Pick<LastUse, 'secret'>;
  onToken: (grantType: string, result: 'success' | 'refused') => void;
}): PlainEndpoint {
  const { clock, clients, serviceTokens, lastUse, onToken } = deps;

  return async ({ req, body, request }) => {
    if (!isPlainForm(req) || body === 'too_large') return undefined;
    const asked = readRequest(body.toString('latin1'), req.headers.authorization);
    if (!asked) return undefined;
    let client: ClientRecord | undefined;
    try {
      client = await clients.find(asked.clientId);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      onToken('client_credentials', 'refused');
      return unavailable(error);
    }
    const digest = client && provenBy(client, asked.secret, epochSeconds(clock));
    if (!client || digest === undefined) return undefined;
    lastUse.secret(asked.clientId, digest);
    const granted = grantedTo(client, asked);
    return granted && serviceTokens.answer(request, client, granted, 'client_credentials');
  };
}

const FORM = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;
const OTHER_WAYS = ['dpop', 'origin', 'oauth-client-attestation', 'oauth-client-attestation-pop', 'content-encoding'];

function isPlainForm({ headers }: IncomingMessage): boolean {
  return FORM.test(headers['content-type'] ?? '') && OTHER_WAYS.every((name) => headers[name] === undefined);
}

interface Asked {
  clientId: string;
  secret: string;
  scopes: string[] | undefined;
  resource: string | undefined;
}

const KNOWN = new Set(['grant_type', 'scope', 'resource', 'client_id', 'client_secret']);
/** As generated identifiers and secrets are: no character that any of the encodings on the way would change. */
const CREDENTIALS = /^([\w-]{1,200}):([\w-]{1,200})$/;
const PLAIN = /^[\w-]{1,200}$/;
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** Undefined where anything is missing, doubled, unknown or unusual. */
function readRequest(body: string, authorization: string | undefined): Asked | undefined {
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (!KNOWN.has(name) || given.has(name) || value === '') return undefined;
    given.set(name, value);
  }
  if (given.get('grant_type') !== 'client_credentials') return undefined;
  const scope = given.get('scope');
  if (scope !== undefined && (scope.length > 1024 || !SCOPE.test(scope))) return undefined;
  const credentials = readCredentials(given.get('client_id'), given.get('client_secret'), authorization);
  return credentials && { ...credentials, scopes: scope?.split(' '), resource: given.get('resource') };
}

function readCredentials(
  clientId: string | undefined,
  secret: string | undefined,
  authorization: string | undefined,
): { clientId: string; secret: string } | undefined {
  if (authorization === undefined) {
    if (clientId === undefined || secret === undefined || !PLAIN.test(clientId) || !PLAIN.test(secret))
      return undefined;
    return { clientId, secret };
  }
  const encoded = /^Basic ((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(authorization)?.[1];
  if (encoded === undefined || secret !== undefined) return undefined;
  const match = CREDENTIALS.exec(Buffer.from(encoded, 'base64').toString('latin1'));
  if (!match?.[1] || !match[2] || (clientId !== undefined && clientId !== match[1])) return undefined;
  return { clientId: match[1], secret: match[2] };
}

/** The digest of the secret that proves the client; undefined where it is to prove itself otherwise, or more. */
function provenBy({ metadata, facts }: ClientRecord, secret: string, now: number): string | undefined {
  const bySecretAlone =
    facts.type === 'service' &&
    !facts.settings.certificateBound &&
    !facts.settings.dpopBound &&
    !facts.settings.fapi &&
    metadata.token_endpoint_auth_method === 'client_secret_basic';
  return bySecretAlone ? matchingDigest(metadata.client_secret, secret, now) : undefined;
}
