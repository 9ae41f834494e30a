import type { X509Certificate } from 'node:crypto';
import type Koa from 'koa';
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { matchesSubject, SUBJECT_KINDS, type SubjectKind, validityProblem } from '../../platform/crypto/certificate.ts';
import { chainProblem } from '../../platform/crypto/certificate-chain.ts';
import {
  type CertificateHeader,
  type PresentedCertificate,
  readClientCertificate,
} from '../../platform/web/client-certificate.ts';

/** The ways in which a certificate proves a client (RFC 8705 section 2). */
export const TLS_METHODS = ['tls_client_auth', 'self_signed_tls_client_auth'] as const;

/** Endpoints that a client reaches over a connection with its certificate (RFC 8705 section 5), by the library's names. */
const ALIASED = [
  'token',
  'revocation',
  'introspection',
  'userinfo',
  'pushed_authorization_request',
  'device_authorization',
  'backchannel_authentication',
];

export interface MutualTlsOptions {
  header: CertificateHeader | undefined;
  authorities: X509Certificate[];
  /** Where certificates count; undefined: at every address that is served. */
  origin: URL | undefined;
  now: () => Date;
  /** Told when a trusted proxy sent a header that makes no sense. */
  onUnreadable(reason: string): void;
}

export interface MutualTls {
  enabled: boolean;
  /** The library's switches; none of them on where mutual TLS is off. */
  features: NonNullable<NonNullable<Configuration['features']>['mTLS']>;
  /** What the metadata says beside what the library says. `paths` by the library's names; `served`: those that answer. */
  metadata(paths: Record<string, string>, served: (path: string) => boolean): Record<string, unknown>;
}

/** Paths that are served at the address for certificates. */
export function aliasedPaths(paths: Record<string, string>, served: (path: string) => boolean): Map<string, string> {
  const entries = ALIASED.flatMap((name) => {
    const path = paths[name];
    return path !== undefined && served(path) ? [[`${name}_endpoint`, path] as const] : [];
  });
  return new Map(entries);
}

/** Mutual TLS by the header of a proxy that ends it (RFC 8705, RFC 9440). */
export function createMutualTls(options: MutualTlsOptions): MutualTls {
  const { header, authorities, origin, now, onUnreadable } = options;
  const read = new WeakMap<object, PresentedCertificate | { problem: string } | undefined>();

  /** Read once for each request; a header that can't be read is no certificate. */
  function presented(ctx: Koa.Context): PresentedCertificate | { problem: string } | undefined {
    if (!read.has(ctx.req)) read.set(ctx.req, readFrom(ctx));
    return read.get(ctx.req);
  }

  function readFrom(ctx: Koa.Context): PresentedCertificate | { problem: string } | undefined {
    // From anybody else the header is what its sender made up; the web server has found out who the peer is.
    if (header === undefined || (ctx.state as { fromProxy?: boolean }).fromProxy !== true) return undefined;
    // At an address where the proxy asks for no certificate, nothing says that it removes such a header either.
    if (origin && ctx.get('x-forwarded-host') !== origin.host) return undefined;
    try {
      const found = readClientCertificate(ctx.req.headersDistinct, header);
      const problem = found && validityProblem(found.certificate, now());
      return problem ? { problem: `the client certificate ${problem}` } : found;
    } catch (error) {
      const problem = `the header of the client certificate can't be read: ${(error as Error).message}`;
      onUnreadable(problem);
      return { problem };
    }
  }

  function certificateOf(ctx: KoaContextWithOIDC): X509Certificate | undefined {
    const found = presented(ctx);
    if (found && 'certificate' in found) return found.certificate;
    const { client, route } = ctx.oidc;
    if (!client || route === 'userinfo') return undefined;
    // The library's reasons for both would be the same whatever is wrong.
    if (TLS_METHODS.some((method) => method === client.clientAuthMethod)) {
      throw new errors.InvalidClientAuth(found?.problem ?? 'client certificate was not provided');
    }
    if (client.tlsClientCertificateBoundAccessTokens) {
      throw new errors.InvalidRequest('a client certificate is required', undefined, found?.problem);
    }
    return undefined;
  }

  return {
    enabled: header !== undefined,
    features: {
      enabled: header !== undefined,
      certificateBoundAccessTokens: header !== undefined,
      selfSignedTlsClientAuth: header !== undefined,
      tlsClientAuth: header !== undefined,
      getCertificate: certificateOf as NonNullable<MutualTls['features']['getCertificate']>,
      certificateAuthorized(ctx) {
        const found = presented(ctx);
        if (!found || !('certificate' in found)) return false;
        const problem = chainProblem(found.certificate, { presented: found.chain, authorities, now: now() });
        if (problem) throw new errors.InvalidClientAuth(problem);
        return true;
      },
      certificateSubjectMatches(ctx, property, expected) {
        const found = presented(ctx);
        const kind = SUBJECT_KINDS.find((known) => property === `tls_client_auth_${known}`);
        return found !== undefined && 'certificate' in found && isNamed(found.certificate, kind, expected);
      },
    },
    metadata(paths, served) {
      if (header === undefined || !origin) return {};
      const aliases = [...aliasedPaths(paths, served)].map(([name, path]) => [name, `${origin.origin}${path}`]);
      return { mtls_endpoint_aliases: Object.fromEntries(aliases) };
    },
  };
}

function isNamed(certificate: X509Certificate, kind: SubjectKind | undefined, expected: string): boolean {
  return kind !== undefined && matchesSubject(certificate, kind, expected);
}
