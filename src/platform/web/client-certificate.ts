import type { X509Certificate } from 'node:crypto';
import { readBase64, readPem } from '../crypto/certificate.ts';

/** How a proxy that ends TLS hands the client's certificate on. */
export const CERTIFICATE_HEADERS = ['rfc9440', 'nginx', 'haproxy', 'traefik', 'envoy'] as const;
export type CertificateHeader = (typeof CERTIFICATE_HEADERS)[number];

/** The certificate that the client proved to hold when it connected, and what it sent along with it. */
export interface PresentedCertificate {
  certificate: X509Certificate;
  /** Without the certificate itself, in no order that counts. */
  chain: X509Certificate[];
}

/** Chains in use have one or two intermediates; each costs a signature's verification. */
const MOST_IN_CHAIN = 5;
/** Characters. */
const MOST_TEXT = 14_000;

type Headers = NodeJS.Dict<string[]>;

/**
 * The client's certificate, from the header of a proxy that is trusted: the caller has made sure of that. Undefined where
 * the client sent none; throws where the header can't be read, stands twice or contradicts itself. A proxy that lets a
 * header of the client's own through beside its own shows as one that stands twice.
 * `headers`: of the request, each with all of its values (IncomingMessage.headersDistinct).
 */
export function readClientCertificate(headers: Headers, form: CertificateHeader): PresentedCertificate | undefined {
  const certificates = FORMS[form](headers);
  const [certificate, ...chain] = certificates;
  if (certificate === undefined) return undefined;
  if (chain.length > MOST_IN_CHAIN) throw new Error('more certificates than a chain has');
  return { certificate, chain };
}

/** The leaf first; empty where the client sent none. */
const FORMS: Record<CertificateHeader, (headers: Headers) => X509Certificate[]> = {
  // RFC 9440 section 2: a byte sequence of structured fields, and a list of them.
  rfc9440(headers) {
    const leaf = only(headers, 'client-cert');
    const rest = (headers['client-cert-chain'] ?? []).join(',').trim();
    if (leaf === '') {
      if (rest !== '') throw new Error('a chain without a certificate');
      return [];
    }
    return [leaf, ...(rest === '' ? [] : rest.split(','))].map((item) => readBase64(byteSequence(item)));
  },

  // $ssl_client_escaped_cert and $ssl_client_verify.
  nginx(headers) {
    const escaped = only(headers, 'x-ssl-client-cert');
    const verdict = only(headers, 'x-ssl-client-verify');
    if (escaped === '') return [];
    if (verdict !== 'SUCCESS' && !UNKNOWN_AUTHORITY_IN_WORDS.test(verdict)) {
      throw new Error(`the proxy refused the certificate, or has seen none (${verdict.slice(0, 60)})`);
    }
    return [single(readPem(decodeURIComponent(escaped)))];
  },

  // %[ssl_c_der,base64] and %[ssl_c_verify], which is a number of X509_verify_cert's.
  haproxy(headers) {
    const encoded = only(headers, 'x-ssl-client-cert');
    const verdict = only(headers, 'x-ssl-client-verify');
    if (encoded === '') return [];
    if (!UNKNOWN_AUTHORITY.has(verdict)) throw new Error(`the proxy refused the certificate (${verdict.slice(0, 10)})`);
    return [readBase64(encoded)];
  },

  // PEM without its first and last line and without line ends, the chain separated by commas; older ones escape it.
  traefik(headers) {
    const value = only(headers, 'x-forwarded-tls-client-cert');
    if (value === '') return [];
    return decodeURIComponent(value).split(',').map(readBase64);
  },

  envoy(headers) {
    const value = only(headers, 'x-forwarded-client-cert');
    if (value === '') return [];
    const fields = forwardedFields(value);
    const pem = fields.get('chain') ?? fields.get('cert');
    if (pem === undefined) throw new Error('neither Cert nor Chain is in the header');
    return readPem(decodeURIComponent(pem));
  },
};

/**
 * Fine, or nothing known about who signed it, for which Postern looks itself: 18 to 21 and 27 of x509_vfy.h. Anything else,
 * such as a certificate that was revoked, only the proxy can know.
 */
const UNKNOWN_AUTHORITY = new Set(['0', '18', '19', '20', '21', '27']);
/** The same, and 2, as nginx tells them: in OpenSSL's words, which were hyphenated later. */
const UNKNOWN_AUTHORITY_IN_WORDS =
  /^FAILED:(?:self[ -]signed certificate(?: in certificate chain)?|unable to get (?:local )?issuer certificate|unable to verify the first certificate|certificate not trusted)$/;

function only(headers: Headers, name: string): string {
  const [value = '', ...more] = headers[name] ?? [];
  if (more.length > 0) throw new Error(`${name} stands twice`);
  if (value.length > MOST_TEXT) throw new Error(`${name} is too long`);
  return value.trim();
}

function byteSequence(item: string): string {
  const text = /^:([A-Za-z0-9+/=]*):$/.exec(item.trim())?.[1];
  if (text === undefined) throw new Error('not a byte sequence (RFC 9651 section 3.3.5)');
  return text;
}

function single(certificates: X509Certificate[]): X509Certificate {
  const [first, ...more] = certificates;
  if (!first || more.length > 0) throw new Error('not exactly one certificate');
  return first;
}

/**
 * The fields of Envoy's header, names in lower case. With a comma between elements it speaks of several hops, of which
 * nobody can say which is the client's: the proxy has to set it anew (SANITIZE_SET).
 */
function forwardedFields(value: string): Map<string, string> {
  const fields = new Map<string, string>();
  const field = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|$)/y;
  while (field.lastIndex < value.length) {
    const match = field.exec(value);
    const name = match?.[1]?.toLowerCase();
    if (!match || name === undefined) throw new Error('not one element of X-Forwarded-Client-Cert');
    // URI and DNS may stand several times; they are not read.
    if (fields.has(name) && (name === 'cert' || name === 'chain')) throw new Error(`${name} stands twice`);
    fields.set(name, (match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1'));
  }
  return fields;
}
