import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { ClientMetadata } from 'oidc-provider';
import type { AppError } from '../../kernel/errors.ts';
import type { PublicKey } from '../../platform/crypto/public-key-set.ts';

export interface KeySource {
  of(uri: string, kid: string | undefined): Promise<PublicKey[]>;
}

type Params = Record<string, unknown> | undefined;

/** A JWT in the request that is to be verified with a client's keys. */
interface Signed {
  kid: string | undefined;
  /** The client proves itself by it. */
  proof: boolean;
}

/** The library would fetch the keys itself, keep them by its own rules and take weaker ones: it gets them as if inline. */
export function withKeys({ jwks_uri: _, ...metadata }: ClientMetadata, keys: PublicKey[]): ClientMetadata {
  return { ...metadata, jwks: { keys } as NonNullable<ClientMetadata['jwks']> };
}

/** Undefined where nothing in the request needs the keys of this client. */
export function signedBy(clientId: string, params: Params): Signed | undefined {
  const { client_assertion: assertion, request, client_id: named } = params ?? {};
  if (typeof assertion === 'string') {
    const read = parse(assertion);
    if (read?.sub === clientId) return { kid: read.kid, proof: true };
  }
  if (typeof request === 'string' && named === clientId) return { kid: parse(request)?.kid, proof: false };
  return undefined;
}

/** For the audit log: why the keys could not be had. */
export function reasonOf(uri: string, error: AppError): string {
  const { reason = error.code, host: _host, ...rest } = (error.detail ?? {}) as { reason?: string; host?: string };
  const { address } = rest as { address?: string };
  return `the keys at ${uri} can't be read: ${reason}${address === undefined ? '' : ` (${address})`}`;
}

function parse(jwt: string): { sub: unknown; kid: string | undefined } | undefined {
  try {
    const { kid } = decodeProtectedHeader(jwt);
    return { sub: decodeJwt(jwt).sub, kid: typeof kid === 'string' ? kid : undefined };
  } catch {
    return undefined;
  }
}
