import type { ClientMetadata } from 'oidc-provider';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import { TLS_METHODS } from './certificates.ts';

/** RFC 8705 section 2.1.2. */
export function certificateMetadata({ certificateSubject: subject }: ClientSettings): Record<string, unknown> {
  return subject ? { [`tls_client_auth_${subject.kind}`]: subject.value } : {};
}

/**
 * Where mutual TLS is off, a client that needs a certificate can't prove itself, by none and by nothing else: it must not
 * get by with less. What was issued to it can still be looked up.
 */
export function withoutMutualTls(metadata: ClientMetadata): ClientMetadata {
  const { tls_client_certificate_bound_access_tokens: bound, ...rest } = metadata as ClientMetadata & {
    tls_client_certificate_bound_access_tokens?: boolean;
  };
  const method = rest.token_endpoint_auth_method;
  if (bound !== true && !TLS_METHODS.some((known) => known === method)) return metadata;
  return { ...rest, token_endpoint_auth_method: 'client_secret_basic', client_secret: 'sha256:none:' };
}
