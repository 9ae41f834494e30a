import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ClientRecord } from '../client-source.ts';
import { matchingDigest } from '../internals.ts';

/** A form, as services send it all day, with a generated secret: each parameter once, none of them empty. */
export interface PlainForm {
  clientId: string;
  secret: string;
  params: ReadonlyMap<string, string>;
}

const FORM = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;
const OTHER_WAYS = ['dpop', 'origin', 'oauth-client-attestation', 'oauth-client-attestation-pop', 'content-encoding'];
/** As generated identifiers and secrets are: no character that any of the encodings on the way would change. */
const CREDENTIALS = /^([\w-]{1,200}):([\w-]{1,200})$/;
const PLAIN = /^[\w-]{1,200}$/;

/** A proof, a page of another origin, an unusual body: whatever may need more than a look at the token or the secret. */
export function asksForMore(headers: IncomingHttpHeaders): boolean {
  return OTHER_WAYS.some((name) => headers[name] !== undefined);
}

/** Undefined where anything is missing, doubled, unknown or unusual. `names`: the parameters beside the credentials. */
export function readPlainForm(
  { headers }: IncomingMessage,
  body: Buffer | 'too_large',
  names: ReadonlySet<string>,
): PlainForm | undefined {
  if (body === 'too_large' || !FORM.test(headers['content-type'] ?? '')) return undefined;
  if (asksForMore(headers)) return undefined;
  const params = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body.toString('latin1'))) {
    const known = names.has(name) || name === 'client_id' || name === 'client_secret';
    if (!known || params.has(name) || value === '') return undefined;
    params.set(name, value);
  }
  const credentials = readCredentials(params.get('client_id'), params.get('client_secret'), headers.authorization);
  return credentials && { ...credentials, params };
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

/**
 * The digest of the secret that proves the client; undefined where it is to prove itself otherwise, or nobody can say
 * here: where certificates are off, a client that needs one has no secret (certificate-metadata.ts). `now` in seconds.
 */
export function provenBySecret({ metadata, facts }: ClientRecord, secret: string, now: number): string | undefined {
  const { fapi, certificateBound } = facts.settings;
  const bySecret = metadata.token_endpoint_auth_method === 'client_secret_basic' && !fapi && !certificateBound;
  return bySecret ? matchingDigest(metadata.client_secret, secret, now) : undefined;
}

/** CORS as the library has it where no page asks (no Origin): answers may be kept apart by that alone. */
export function openToPages(exposed: string): readonly string[] {
  return ['Vary', 'Origin', 'Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', exposed];
}
