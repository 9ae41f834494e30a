import { createHash, randomUUID } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { postForm, type TokenAnswer } from './oauth.ts';

/** Who holds a key, and can prove it (RFC 9449). */
export interface Holder {
  alg: string;
  privateKey: CryptoKey;
  jwk: JWK;
  /** As it stands in cnf.jkt (RFC 9449 section 6.1). */
  thumbprint: string;
}

export async function createHolder(alg = 'ES256', modulusLength = 2048): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, modulusLength });
  const jwk = await exportJWK(publicKey);
  return { alg, privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) };
}

export interface ProofParts {
  url: string;
  method?: string;
  nonce?: string | undefined;
  /** That the proof goes with: its digest is `ath`. */
  token?: string;
  /** Other claims, or these with other values; what is undefined is left out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
}

export function athOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** A good proof, with what `parts` changes about it. */
export function proof(holder: Holder, parts: ProofParts): Promise<string> {
  const { url, method = 'POST', nonce, token } = parts;
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(Date.now() / 1000),
    nonce,
    ath: token === undefined ? undefined : athOf(token),
    ...parts.claims,
  };
  const given = Object.entries(claims).filter(([, value]) => value !== undefined);
  return new SignJWT(Object.fromEntries(given))
    .setProtectedHeader({ alg: holder.alg, typ: 'dpop+jwt', jwk: holder.jwk, ...parts.header })
    .sign(holder.privateKey);
}

/** A nonce as the token endpoint gives it to whoever sends a proof without one. */
export async function freshNonce(
  origin: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
  issuer = origin,
): Promise<string> {
  const dpop = await proof(await createHolder(), { url: `${issuer}/oauth2/token` });
  const answer = await postForm(`${origin}/oauth2/token`, form, { ...headers, dpop });
  const nonce = answer.headers.get('dpop-nonce');
  if (answer.body.error !== 'use_dpop_nonce' || nonce === null) {
    throw new Error(`no nonce: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return nonce;
}

/** A form sent with a proof, and once more with the nonce that is asked for. */
export async function postWithProof(
  url: string,
  form: Record<string, string>,
  headers: Record<string, string>,
  holder: Holder,
  parts: Partial<ProofParts> = {},
): Promise<TokenAnswer> {
  const send = async (nonce?: string) =>
    postForm(url, form, { ...headers, dpop: await proof(holder, { url, nonce, ...parts }) });
  const first = await send();
  const nonce = first.headers.get('dpop-nonce');
  return first.body.error === 'use_dpop_nonce' && nonce !== null ? send(nonce) : first;
}

/** GET of userinfo with a bound token. */
export async function userinfoWithProof(
  origin: string,
  token: string,
  holder: Holder,
  parts: Partial<ProofParts> & { authorization?: string } = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const url = `${origin}/oauth2/userinfo`;
  const { authorization = `DPoP ${token}`, ...changes } = parts;
  const send = async (nonce?: string) => {
    const dpop = await proof(holder, { url, method: 'GET', nonce, token, ...changes });
    const { status, headers, ...response } = await fetch(url, { headers: { authorization, dpop } }).then(
      async (answer) => ({ status: answer.status, headers: answer.headers, text: await answer.text() }),
    );
    return { status, headers, body: JSON.parse(response.text) as Record<string, unknown> };
  };
  const first = await send();
  const nonce = first.headers.get('dpop-nonce');
  return first.body.error === 'use_dpop_nonce' && nonce !== null ? send(nonce) : first;
}
