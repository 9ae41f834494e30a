import { type CryptoKey, SignJWT } from 'jose';
import { assertion, assertionForm, epoch, pairOf, type Signer } from './assertions.ts';
import { asClient, type CodeRequest, codeRequest, postForm, type TokenAnswer } from './oauth.ts';
import { type Application, BY_TEST, createApplication } from './people.ts';
import type { Postern } from './postern.ts';

/** An application with a key of its own. */
export interface SigningApplication extends Application {
  privateKey: CryptoKey;
  kid: string;
  signer: Signer;
}

/** Sets switches of the protocol; what is not named stays. */
export async function setProtocol(
  postern: Postern,
  clientId: string,
  change: Record<string, boolean | string[]>,
): Promise<void> {
  await postern.parts.applications.setProtocol(clientId, change, BY_TEST);
}

/** `use`: what its key is for, as of the keys of an application. */
export async function createSigningApplication(
  postern: Postern,
  options: { use?: 'requests' | 'authentication'; alg?: string } & Parameters<typeof createApplication>[1] = {},
): Promise<SigningApplication> {
  const { use = 'requests', alg = 'ES256', ...rest } = options;
  const application = await createApplication(postern, rest);
  const { privateKey, jwk } = await pairOf(alg);
  await postern.parts.applications.useKeys(application.clientId, { jwks: { keys: [jwk] }, use }, BY_TEST);
  const { clientId } = application;
  const signer = { id: clientId, clientId, privateKey, jwk, issuer: postern.url };
  return { ...application, ...(use === 'authentication' ? { secret: '' } : {}), privateKey, kid: jwk.kid, signer };
}

/** A request object (RFC 9101) that is in order, with changes; what is undefined is left out. */
export function requestObject(
  by: SigningApplication,
  params: Record<string, unknown>,
  changes: { claims?: Record<string, unknown>; header?: Record<string, unknown>; key?: CryptoKey } = {},
): Promise<string> {
  const now = epoch();
  const claims = {
    iss: by.clientId,
    aud: by.signer.issuer,
    iat: now,
    nbf: now,
    exp: now + 60,
    ...params,
    ...changes.claims,
  };
  const header = { alg: 'ES256', kid: by.kid, typ: 'oauth-authz-req+jwt', ...changes.header };
  const given = (all: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(given(claims))
    .setProtectedHeader(given(header) as { alg: string })
    .sign(changes.key ?? by.privateKey, { crit: { 'urn:example:must': true } });
}

/** RFC 9126 section 2.1, authenticated as the application does it. */
export async function push(
  origin: string,
  application: Application | SigningApplication,
  params: Record<string, string> | [string, string][],
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const form = Array.isArray(params) ? params : Object.entries(params);
  const url = `${origin}/oauth2/par`;
  if ('signer' in application && application.secret === '') {
    return postForm(url, [...form, ...Object.entries(assertionForm(await assertion(application.signer)))], headers);
  }
  const proof = asClient(application);
  const named = form.some(([name]) => name === 'client_id') ? [] : Object.entries(proof.form);
  return postForm(url, [...form, ...named], { ...proof.headers, ...headers });
}

/** A request that was pushed, and the address that a browser goes to with it. */
export async function pushed(
  origin: string,
  application: Application | SigningApplication,
  extra: Record<string, string> = {},
): Promise<CodeRequest & { uri: string; path: string }> {
  const { params, verifier } = codeRequest(application, extra);
  const { status, body } = await push(origin, application, params);
  if (status !== 201) throw new Error(`not pushed: ${status} ${JSON.stringify(body)}`);
  const uri = String(body.request_uri);
  return { params, verifier, uri, path: pathOf(application, uri) };
}

export function pathOf(application: { clientId: string }, requestUri: string): string {
  return `/oauth2/authorize?${new URLSearchParams({ client_id: application.clientId, request_uri: requestUri })}`;
}
