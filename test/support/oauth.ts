import { createHash, randomBytes } from 'node:crypto';
import type { Agent, Page } from './browserless.ts';
import { type Application, basic, type Person, signInAndAllow } from './people.ts';

/** A request of the authorization code flow, as an application that does all it should would make it. */
export interface CodeRequest {
  params: Record<string, string>;
  verifier: string;
}

export function codeRequest(application: Application, extra: Record<string, string> = {}): CodeRequest {
  const verifier = randomBytes(32).toString('base64url');
  return {
    verifier,
    params: {
      client_id: application.clientId,
      response_type: 'code',
      redirect_uri: application.redirectUri,
      scope: 'openid profile email',
      state: randomBytes(8).toString('hex'),
      nonce: randomBytes(8).toString('hex'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...extra,
    },
  };
}

export function authorizePath(params: Record<string, string> | URLSearchParams | [string, string][]): string {
  return `/oauth2/authorize?${new URLSearchParams(params)}`;
}

/** Goes through the pages where there is need, and comes back with the code. */
export async function getCode(
  agent: Agent,
  application: Application,
  person: Person,
  extra: Record<string, string> = {},
): Promise<{ code: string; verifier: string; params: Record<string, string> }> {
  const { params, verifier } = codeRequest(application, extra);
  let page = await agent.get(authorizePath(params));
  if (!page.leaves && page.forms.some(({ inputs }) => inputs.includes('password'))) {
    page = await signInAndAllow(agent, page, person);
  } else if (page.url.endsWith('/consent')) page = await agent.submit(page, '/consent');
  return { code: codeOf(page), verifier, params };
}

export function codeOf(page: Page): string {
  const code = page.leaves?.searchParams.get('code');
  if (!code) throw new Error(`no code: ${page.leaves?.href ?? `${page.status} ${page.url} ${page.text}`}`);
  return code;
}

export interface TokenAnswer {
  status: number;
  headers: Headers;
  body: {
    access_token?: string;
    id_token?: string;
    refresh_token?: string;
    scope?: string;
    token_type?: string;
    expires_in?: number;
    error?: string;
    error_description?: string;
    active?: boolean;
    [name: string]: unknown;
  };
}

/** A form sent to an endpoint; an answer without a body is `{}`. */
export async function postForm(
  url: string,
  form: Record<string, string> | [string, string][],
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const response = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form), redirect: 'manual' });
  const text = await response.text();
  let body: TokenAnswer['body'] = {};
  if (text.startsWith('{')) body = JSON.parse(text);
  return { status: response.status, headers: response.headers, body };
}

/** How an application proves itself: the header of a confidential one, client_id in the form of a public one. */
export function asClient(application: { clientId: string; secret: string }): {
  form: Record<string, string>;
  headers: Record<string, string>;
} {
  return application.secret === ''
    ? { form: { client_id: application.clientId }, headers: {} }
    : { form: {}, headers: { authorization: basic(application.clientId, application.secret) } };
}

export function redeem(
  origin: string,
  application: Application,
  got: { code: string; verifier: string },
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { form, headers } = asClient(application);
  return postForm(
    `${origin}/oauth2/token`,
    {
      grant_type: 'authorization_code',
      code: got.code,
      redirect_uri: application.redirectUri,
      code_verifier: got.verifier,
      ...form,
      ...extra,
    },
    headers,
  );
}

export function refresh(
  origin: string,
  application: { clientId: string; secret: string },
  refreshToken: string,
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { form, headers } = asClient(application);
  return postForm(
    `${origin}/oauth2/token`,
    { grant_type: 'refresh_token', refresh_token: refreshToken, ...form, ...extra },
    headers,
  );
}

export function clientCredentials(
  origin: string,
  service: { clientId: string; secret: string },
  extra: Record<string, string> = {},
): Promise<TokenAnswer> {
  return postForm(`${origin}/oauth2/token`, { grant_type: 'client_credentials', ...extra }, asClient(service).headers);
}

export async function introspect(
  origin: string,
  client: { clientId: string; secret: string },
  token: string,
): Promise<TokenAnswer['body']> {
  const { body } = await postForm(`${origin}/oauth2/introspect`, { token }, asClient(client).headers);
  return body;
}
