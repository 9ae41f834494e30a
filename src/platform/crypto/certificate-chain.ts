import type { KeyObject, X509Certificate } from 'node:crypto';
import { detailsOf, EXTENSION, validityProblem } from './certificate.ts';
import { childrenOf, readDer, TAG } from './der.ts';

/** Signatures that a certificate may carry: nothing with SHA-1 or MD5, whose collisions make two certificates of one. */
const SIGNATURES = new Set([
  '1.2.840.113549.1.1.11', // RSA with SHA-256, SHA-384, SHA-512
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2', // ECDSA with SHA-256, SHA-384, SHA-512
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112', // Ed25519
]);

/** What is looked at here. Any other extension that is critical must not be passed over (RFC 5280 section 4.2). */
const UNDERSTOOD = new Set<string>(Object.values(EXTENSION));

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';
const MIN_RSA_BITS = 2048;
/** digitalSignature and keyAgreement (RFC 5280 section 4.2.1.3), in the first octet. */
const SIGNS_OR_AGREES = 0x80 | 0x08;

/**
 * Whether a configured authority stands behind a client's certificate (RFC 5280 section 6, for chains of one or two
 * steps), by signatures, times and what each certificate may be used for. A configured certificate is trusted as it is,
 * whoever signed it. `presented`: what else came with the leaf. Returns what is wrong, or undefined.
 */
export function chainProblem(leaf: X509Certificate, options: ChainOptions): string | undefined {
  try {
    return problemOf(leaf, options);
  } catch {
    return 'the certificate is not built as RFC 5280 says';
  }
}

export interface ChainOptions {
  presented: X509Certificate[];
  authorities: X509Certificate[];
  now: Date;
}

function problemOf(leaf: X509Certificate, { presented, authorities, now }: ChainOptions): string | undefined {
  const own = leafProblem(leaf, now);
  if (own) return `the certificate ${own}`;
  const ready = authorities.filter((authority) => validityProblem(authority, now) === undefined);
  if (ready.some((authority) => issued(authority, leaf))) return undefined;

  let problem = 'no configured authority has issued the certificate';
  for (const intermediate of presented) {
    if (!issued(intermediate, leaf)) continue;
    const found = authorityProblem(intermediate) ?? validityProblem(intermediate, now);
    if (found) problem = `the intermediate certificate ${found}`;
    else if (ready.some((authority) => pathLength(authority) !== 0 && issued(authority, intermediate)))
      return undefined;
  }
  return problem;
}

/** Name, key identifier and key usage fit, and the signature is genuine. */
function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  try {
    return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** What keeps a certificate from proving a client's name, or undefined. */
function leafProblem(leaf: X509Certificate, now: Date): string | undefined {
  const { extensions } = detailsOf(leaf);
  if (basicConstraints(leaf).authority) return 'is that of an authority';
  const usage = extensions.get(EXTENSION.keyUsage)?.value;
  const bits = usage && readDer(usage)[0];
  // The first octet of a BIT STRING counts its unused bits.
  if (bits && (bits.tag !== TAG.bitString || ((bits.content[1] ?? 0) & SIGNS_OR_AGREES) === 0)) {
    return 'is not for signatures (key usage)';
  }
  return commonProblem(leaf) ?? validityProblem(leaf, now);
}

/** What keeps a certificate from issuing those of clients, or undefined. Its time is not looked at. */
export function authorityProblem(certificate: X509Certificate): string | undefined {
  if (!certificate.ca || !basicConstraints(certificate).authority) return 'is not that of an authority';
  return commonProblem(certificate);
}

function commonProblem(certificate: X509Certificate): string | undefined {
  const { extensions, signatureAlgorithm } = detailsOf(certificate);
  for (const [oid, { critical }] of extensions) {
    if (critical && !UNDERSTOOD.has(oid)) return `has a critical extension that is not known here (${oid})`;
  }
  if (!SIGNATURES.has(signatureAlgorithm)) return `is signed with an algorithm that is refused (${signatureAlgorithm})`;
  if (isWeak(certificate.publicKey)) return `has an RSA key of less than ${MIN_RSA_BITS} bits`;
  const usages = certificate.keyUsage as string[] | undefined;
  if (usages && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE)) {
    return 'is not for client authentication (extended key usage)';
  }
  return undefined;
}

function isWeak(key: KeyObject): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  return bits !== undefined && bits < MIN_RSA_BITS;
}

/** RFC 5280 section 4.2.1.9. */
function basicConstraints(certificate: X509Certificate): { authority: boolean; pathLength: number | undefined } {
  const value = detailsOf(certificate).extensions.get(EXTENSION.basicConstraints)?.value;
  const parts = value ? childrenOf(readDer(value)[0], TAG.sequence) : [];
  const length = parts.find(({ tag }) => tag === TAG.integer);
  return {
    authority: parts[0]?.tag === TAG.boolean && parts[0].content[0] !== 0,
    pathLength: length && Number.parseInt(length.content.toString('hex'), 16),
  };
}

function pathLength(certificate: X509Certificate): number | undefined {
  return basicConstraints(certificate).pathLength;
}
