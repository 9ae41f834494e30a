import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { childrenOf, type Der, oidOf, readDer, TAG } from './der.ts';
import {
  type DistinguishedName,
  parseDistinguishedName,
  readDistinguishedName,
  sameName,
} from './distinguished-name.ts';

/** What of a certificate's names stands for a client (RFC 8705 section 2.1.2). */
export const SUBJECT_KINDS = ['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** The parts of a certificate (RFC 5280 section 4.1) that node:crypto does not show, or shows as text to be taken apart. */
export interface CertificateDetails {
  subject: DistinguishedName;
  /** By object identifier. */
  extensions: Map<string, { critical: boolean; value: Buffer }>;
  signatureAlgorithm: string;
  /** GeneralName elements of the subject's alternative names (RFC 5280 section 4.2.1.6). */
  alternatives: Der[];
}

export const EXTENSION = {
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;

const EXTENSIONS = 0xa3;
const VERSION = 0xa0;
/** GeneralName's tags. */
const KIND_OF_NAME: Record<Exclude<SubjectKind, 'subject_dn'>, number> = {
  san_email: 0x81,
  san_dns: 0x82,
  san_uri: 0x86,
  san_ip: 0x87,
};

const known = new WeakMap<X509Certificate, CertificateDetails>();

/** Throws on what is not built as RFC 5280 says. */
export function detailsOf(certificate: X509Certificate): CertificateDetails {
  const kept = known.get(certificate);
  if (kept) return kept;
  const [whole, ...after] = readDer(certificate.raw);
  const [body, algorithm] = childrenOf(whole, TAG.sequence);
  const parts = childrenOf(body, TAG.sequence);
  if (parts[0]?.tag === VERSION) parts.shift();
  const subject = parts[4];
  if (after.length > 0 || subject?.tag !== TAG.sequence) throw new Error('not a certificate');
  const extensions = readExtensions(parts.find(({ tag }) => tag === EXTENSIONS));
  const names = extensions.get(EXTENSION.alternativeNames)?.value;
  const details: CertificateDetails = {
    subject: readDistinguishedName(subject.content),
    extensions,
    signatureAlgorithm: oidOf(childrenOf(algorithm, TAG.sequence)[0]),
    alternatives: names ? childrenOf(readDer(names)[0], TAG.sequence) : [],
  };
  known.set(certificate, details);
  return details;
}

function readExtensions(element: Der | undefined): CertificateDetails['extensions'] {
  const extensions: CertificateDetails['extensions'] = new Map();
  if (!element) return extensions;
  for (const extension of childrenOf(childrenOf(element)[0], TAG.sequence)) {
    const [type, ...rest] = childrenOf(extension, TAG.sequence);
    const oid = oidOf(type);
    const value = rest.at(-1);
    if (value?.tag !== TAG.octetString || extensions.has(oid))
      throw new Error('an extension is broken, or stands twice');
    const critical = rest.length === 2 && rest[0]?.tag === TAG.boolean && rest[0].content[0] !== 0;
    extensions.set(oid, { critical, value: value.content });
  }
  return extensions;
}

/** Reads PEM text that holds certificates and nothing else but white space; throws otherwise. */
export function readPem(text: string): X509Certificate[] {
  const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
  if (text.replace(block, '').trim() !== '') throw new Error('this is not PEM of certificates alone');
  return [...text.matchAll(block)].map(([, body = '']) => readBase64(body.replace(/\s+/g, '')));
}

/** DER in base64 (RFC 4648 section 4), one certificate; throws otherwise. */
export function readBase64(text: string): X509Certificate {
  if (!/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) throw new Error('not base64');
  const der = Buffer.from(text, 'base64');
  const certificate = new X509Certificate(der);
  // The parser passes over what stands behind the certificate; its digest would then be another's.
  if (!certificate.raw.equals(der)) throw new Error('more than one certificate, or not in DER');
  detailsOf(certificate);
  // Throws where it is no key, such as a point that is not on its curve.
  void certificate.publicKey;
  return certificate;
}

/** Names of this kind, as they stand in the certificate; `subject_dn` has none here. */
function alternatives(certificate: X509Certificate, kind: Exclude<SubjectKind, 'subject_dn'>): Buffer[] {
  return detailsOf(certificate)
    .alternatives.filter(({ tag }) => tag === KIND_OF_NAME[kind])
    .map(({ content }) => content);
}

/**
 * Whether the certificate has this name (RFC 8705 section 2.1.2). DNS names and the domain of a mail address without
 * regard to letter case, addresses by their octets, everything else exactly; a wildcard stands for nothing but itself.
 */
export function matchesSubject(certificate: X509Certificate, kind: SubjectKind, expected: string): boolean {
  if (kind === 'subject_dn') {
    const name = parseDistinguishedName(expected);
    return name !== undefined && sameName(name, detailsOf(certificate).subject);
  }
  const names = alternatives(certificate, kind);
  if (kind === 'san_ip') {
    const octets = addressOctets(expected);
    return octets !== undefined && names.some((name) => name.equals(octets));
  }
  // An X.509-SVID has exactly one URI (SPIFFE X.509-SVID section 2): with two it would stand for two workloads.
  if (kind === 'san_uri' && /^spiffe:/i.test(expected) && names.length !== 1) return false;
  return names.some((name) => folded(kind, name.toString('latin1')) === folded(kind, expected));
}

function folded(kind: SubjectKind, name: string): string {
  if (kind === 'san_dns') return lower(name);
  const at = name.lastIndexOf('@');
  return kind === 'san_email' ? name.slice(0, at) + lower(name.slice(at)) : name;
}

/** ASCII letters alone: others have forms that become equal only in lower case. */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Four or sixteen octets; undefined for what is no address. */
export function addressOctets(text: string): Buffer | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  if (family === 4) return Buffer.from(text.split('.').map(Number));
  // A URL writes every IPv6 address in hexadecimal groups, shortened in one way.
  const groups = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const octets = (part: string | undefined) =>
    (part ? part.split(':') : []).flatMap((group) => [
      Number.parseInt(group, 16) >> 8,
      Number.parseInt(group, 16) & 0xff,
    ]);
  const [head, tail] = [octets(groups[0]), octets(groups[1])];
  return Buffer.from([...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail]);
}

/** What is wrong with the certificate's time, or undefined. */
export function validityProblem(certificate: X509Certificate, now: Date): string | undefined {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (!(now.getTime() >= from)) return 'is not valid yet';
  // To the end of the second that it names (RFC 5280 section 4.1.2.5).
  return now.getTime() < to + 1000 ? undefined : 'has expired';
}

/** `x5t#S256` (RFC 8705 section 3.1): SHA-256 of the DER form, base64url. */
export function certificateThumbprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url');
}
