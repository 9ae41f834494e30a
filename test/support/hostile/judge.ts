import { decodeJwt } from 'jose';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Record<string, unknown>;
}

/** A form as it was written, not encoded again. */
export async function sendForm(url: string, form: string, headers: Record<string, string> = {}): Promise<Answer> {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return send(url, { method: 'POST', headers: { ...type, ...headers }, body: form });
}

export async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  const isJson = /^application\/json\b/.test(response.headers.get('content-type') ?? '');
  const body = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, text, body };
}

/** What of our inside a stranger has no use for, but to attack it. */
const INSIDE =
  /\bat \S+ \(.*:\d+:\d+\)|node_modules|\/src\/|\.ts\b|SELECT |INSERT |prisma|postgres|AppError|TypeError|undefined|\[object|NaN/i;
/** RFC 6749 section 5.2: the characters of a description. */
const DESCRIPTION = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;
/** RFC 6749 section 5.2, RFC 6750 section 3.1; every other code goes with 400. */
const STATUS: Record<string, number> = { invalid_client: 401, invalid_token: 401, insufficient_scope: 403 };

/** What is wrong with a refusal, whatever it refuses; empty when nothing is. */
export function faultsOfRefusal({ status, headers, text, body }: Answer, allowed: readonly string[]): string[] {
  const { error, error_description: description, ...more } = body;
  const found: string[] = [];
  if (typeof error !== 'string') return [`no error: ${status} ${text.slice(0, 200)}`];
  if (!allowed.includes(error)) found.push(`${status} ${error}: ${String(description)}`);
  if (status !== (STATUS[error] ?? 400)) found.push(`${error} with status ${status}`);
  if (headers.get('cache-control') !== 'no-store') found.push(`cache-control ${headers.get('cache-control')}`);
  if (headers.get('set-cookie') !== null) found.push('a cookie');
  // `scope` gives back what was asked for.
  const own = JSON.stringify({ ...body, scope: undefined });
  if (INSIDE.test(own)) found.push(`words of our inside: ${own.slice(0, 300)}`);
  if (description !== undefined && (typeof description !== 'string' || !DESCRIPTION.test(description))) {
    found.push(`characters that have no place in a description: ${JSON.stringify(description)}`);
  }
  const others = Object.keys(more).filter((name) => name !== 'scope');
  if (others.length > 0) found.push(`members ${others.join()}`);
  return found;
}

/** What a successful answer gives, as far as more or less of it can be given. */
export interface Given {
  members: string[];
  scope: Set<string>;
  /** Whom and what it is for, and which key it is bound to. */
  same: string;
  seconds: number;
}

export function givenBy({ body }: Answer): Given {
  const { access_token: token } = body;
  const claims = typeof token === 'string' && token.includes('.') ? decodeJwt(token) : body;
  const { aud, sub, client_id: clientId, cnf, act, sid } = claims as Record<string, unknown>;
  return {
    members: Object.keys(body).filter((name) => body[name] !== undefined),
    scope: new Set(`${claims.scope ?? ''} ${body.scope ?? ''}`.split(' ').filter(Boolean)),
    same: JSON.stringify({ aud, sub, clientId, cnf, act, sid, type: body.token_type }),
    seconds: Number(body.expires_in ?? 0),
  };
}

/** How `given` is wider than `most`; empty when it is not. */
export function widerThan(given: Given, most: Given): string[] {
  const found: string[] = [];
  const members = given.members.filter((name) => !most.members.includes(name));
  const scopes = [...given.scope].filter((scope) => !most.scope.has(scope));
  if (members.length > 0) found.push(`more members: ${members.join()}`);
  if (scopes.length > 0) found.push(`more scope: ${scopes.join()}`);
  if (given.same !== most.same) found.push(`for another: ${given.same}, not ${most.same}`);
  if (given.seconds > most.seconds) found.push(`longer: ${given.seconds}`);
  return found;
}
