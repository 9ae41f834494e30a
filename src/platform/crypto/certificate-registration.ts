import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { isPlainText } from '../../kernel/text.ts';
import {
  addressOctets,
  certificateThumbprint,
  detailsOf,
  readPem,
  SUBJECT_KINDS,
  type SubjectKind,
} from './certificate.ts';
import { formatDistinguishedName, parseDistinguishedName } from './distinguished-name.ts';

/** A certificate that is registered itself, as a key of a JWK Set (RFC 8705 section 2.2.2). */
export interface PinnedCertificate {
  kty: string;
  /** Its thumbprint. */
  kid: string;
  use: 'sig';
  /** The certificate alone: DER in base64 (RFC 7517 section 4.7). */
  x5c: [string];
  [member: string]: unknown;
}

/** By which certificate a client proves itself: any with this name that an authority issued, or one of these. */
export type CertificateRegistration =
  | { kind: SubjectKind; value: string }
  | { kind: 'self_signed'; certificates: PinnedCertificate[] };

/** A certificate as people tell it from others. */
export interface CertificateView {
  /** As RFC 4514 writes it; empty for a name without attributes. */
  subject: string;
  /** SHA-256 of its DER form, base64url. */
  thumbprint: string;
  notBefore: Date;
  notAfter: Date;
}

export const CERTIFICATE_KINDS = [...SUBJECT_KINDS, 'self_signed'] as const;

/** Enough to have the next ones beside the present ones of a few replicas. */
const MAX_CERTIFICATES = 10;
const MAX_PEM = 40_000;
const MAX_NAME = 1_000;
const MIN_RSA_BITS = 2048;
const CURVES = ['P-256', 'P-384', 'P-521', 'Ed25519'];

const NAMES: Record<SubjectKind, (text: string) => boolean> = {
  subject_dn: (text) => isPlainText(text) && parseDistinguishedName(text) !== undefined,
  // No wildcard: it would be compared as it is written, and stand for no host.
  san_dns: (text) => text.length <= 253 && /^(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*$/i.test(text),
  san_uri: (text) => /^[a-z][a-z0-9+.-]*:[\x21\x23-\x3b\x3d\x3f-\x7e]+$/i.test(text) && URL.canParse(text),
  san_ip: (text) => addressOctets(text) !== undefined,
  san_email: (text) => /^[\x21-\x3f\x41-\x7e]{1,64}@[a-z0-9.-]{1,253}$/i.test(text),
};

/** Takes a kind and what belongs to it: the name, or certificates as PEM text. Issues are on the field `certificate`. */
export const certificateRegistration = z
  .object({ certificateKind: z.enum(CERTIFICATE_KINDS, 'certificate.kind'), certificate: z.string('required') })
  .transform(({ certificateKind: kind, certificate }, context): CertificateRegistration => {
    const text = certificate.trim();
    const refuse = (code: string) => {
      context.addIssue({ code: 'custom', path: ['certificate'], message: code });
      return z.NEVER;
    };
    if (text === '') return refuse('required');
    if (kind !== 'self_signed') {
      return text.length <= MAX_NAME && NAMES[kind](text) ? { kind, value: text } : refuse(`certificate.${kind}`);
    }
    if (text.includes('PRIVATE KEY-----')) return refuse('certificate.private');
    const certificates = readCertificates(text);
    if (typeof certificates === 'string') return refuse(certificates);
    return { kind, certificates };
  });

/** A locale code where the text is refused. */
function readCertificates(text: string): PinnedCertificate[] | string {
  if (text.length > MAX_PEM) return 'certificate.count';
  let read: X509Certificate[];
  try {
    read = readPem(text);
  } catch {
    return 'certificate.pem';
  }
  if (read.length > MAX_CERTIFICATES) return 'certificate.count';
  const pinned = read.map(pin);
  if (pinned.includes(undefined)) return 'certificate.key';
  const kids = new Set(pinned.map((one) => one?.kid));
  return kids.size === pinned.length ? (pinned as PinnedCertificate[]) : 'certificate.twice';
}

function pin(certificate: X509Certificate): PinnedCertificate | undefined {
  const { publicKey } = certificate;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS) return undefined;
  try {
    const jwk = publicKey.export({ format: 'jwk' });
    if (jwk.kty !== 'RSA' && !CURVES.includes(jwk.crv ?? '')) return undefined;
    const kid = certificateThumbprint(certificate);
    return { ...jwk, kty: jwk.kty ?? '', kid, use: 'sig', x5c: [certificate.raw.toString('base64')] };
  } catch {
    return undefined;
  }
}

export function describeCertificate({ x5c }: Pick<PinnedCertificate, 'x5c'>): CertificateView {
  const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  return {
    subject: formatDistinguishedName(detailsOf(certificate).subject),
    thumbprint: certificateThumbprint(certificate),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
  };
}
