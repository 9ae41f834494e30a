import type { Input, OptionSpec, Surroundings } from '../command.ts';

/** Option → the kind of name that it gives (RFC 8705 section 2.1.2). */
const NAMES = {
  'subject-dn': 'subject_dn',
  'san-dns': 'san_dns',
  'san-uri': 'san_uri',
  'san-ip': 'san_ip',
  'san-email': 'san_email',
} as const;

/** By which certificate a client proves itself; exactly one of them goes with --auth tls. */
export const CERTIFICATE_OPTIONS: Record<string, OptionSpec> = {
  'subject-dn': {
    type: 'text',
    value: 'DN',
    help: 'For --auth tls: subject of its certificate, as RFC 4514 writes it.',
  },
  'san-dns': { type: 'text', value: 'N', help: 'Or: a DNS name in it.' },
  'san-uri': { type: 'text', value: 'U', help: 'Or: a URI in it, such as a SPIFFE ID.' },
  'san-ip': { type: 'text', value: 'A', help: 'Or: an IP address in it.' },
  'san-email': { type: 'text', value: 'M', help: 'Or: a mail address in it.' },
  certificate: {
    type: 'text',
    value: 'FILE',
    help: 'Or: the certificate itself, PEM, which nobody needs to have signed.',
  },
};

/** What is wrong with these options, or null. */
export function certificateProblem(input: Input, auth: string): string | null {
  const given = Object.keys(CERTIFICATE_OPTIONS).filter((name) => input.optional(name) !== undefined);
  if (auth !== 'tls') return given.length > 0 ? `--${given[0]} goes with --auth tls` : null;
  if (given.length === 1) return null;
  const all = Object.keys(CERTIFICATE_OPTIONS).map((name) => `--${name}`);
  return `--auth tls needs exactly one of ${all.join(', ')}`;
}

/** Undefined where none is given. */
export async function readCertificateOption(
  input: Input,
  surroundings: Pick<Surroundings, 'readFile'>,
): Promise<{ auth: 'certificate'; certificateKind: string; certificate: string } | undefined> {
  const file = input.optional('certificate');
  if (file !== undefined) {
    const certificate = await surroundings.readFile(file);
    return { auth: 'certificate', certificateKind: 'self_signed', certificate };
  }
  for (const [name, certificateKind] of Object.entries(NAMES)) {
    const certificate = input.optional(name);
    if (certificate !== undefined) return { auth: 'certificate', certificateKind, certificate };
  }
  return undefined;
}
