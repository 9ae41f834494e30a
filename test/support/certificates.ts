import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/**
 * Certificates as a test wants them, also such as no authority would issue: written octet by octet (X.690, RFC 5280), so
 * that no tool needs to be on the machine.
 */

const element = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...octets]), content]);
};
const sequence = (...parts: Buffer[]) => element(0x30, ...parts);
const octets = (content: Buffer) => element(0x04, content);
const bits = (content: Buffer, unused = 0) => element(0x03, Buffer.from([unused]), content);
const TRUE = Buffer.from([0x01, 0x01, 0xff]);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const encoded = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f));
    return groups;
  });
  return element(0x06, Buffer.from(encoded));
}

const ATTRIBUTES: Record<string, string> = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  DC: '0.9.2342.19200300.100.1.25',
};

/** Attributes in the order of the encoding, each in a set of its own; `[[a, b]]` puts two into one set. */
export type Name = ([string, string] | [string, string][])[];

const attribute = ([type, value]: [string, string]) =>
  sequence(oid(ATTRIBUTES[type] ?? type), element(0x0c, Buffer.from(value, 'utf8')));
const nameOf = (name: Name) =>
  sequence(
    ...name.map((set) => {
      const all = (Array.isArray(set[0]) ? set : [set]) as [string, string][];
      return element(0x31, ...all.map(attribute).sort(Buffer.compare));
    }),
  );

const utc = (at: Date) => {
  const text = at.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return element(0x17, Buffer.from(text.slice(2)));
};

const SAN = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

export interface Alternative {
  kind: keyof typeof SAN;
  value: string | Buffer;
}

export interface Wanted {
  name: Name;
  alternatives?: Alternative[];
  /** Seconds from now. */
  from?: number;
  to?: number;
  authority?: boolean;
  pathLength?: number;
  /** Extended key usages. */
  usages?: string[];
  /** Another extension, critical. */
  critical?: string;
  keyUsage?: number;
  /** A new pair otherwise. */
  keys?: { privateKey: KeyObject; publicKey: KeyObject };
}

export interface Issued {
  der: Buffer;
  pem: string;
  name: Name;
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** PKCS #8. */
  keyPem: string;
  /** x5t#S256. */
  thumbprint: string;
}

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Signed by `issuer`, or by itself. */
export function issue(wanted: Wanted, issuer?: Pick<Issued, 'name' | 'privateKey'>): Issued {
  const { name, alternatives = [], from = -60, to = 3600, authority = false } = wanted;
  const { privateKey, publicKey } = wanted.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const by = issuer ?? { name, privateKey };
  const at = (seconds: number) => utc(new Date(Date.now() + seconds * 1000));
  const extension = (id: string, critical: boolean, value: Buffer) =>
    sequence(oid(id), ...(critical ? [TRUE] : []), octets(value));
  const pathLength = wanted.pathLength === undefined ? [] : [element(0x02, Buffer.from([wanted.pathLength]))];
  const names = alternatives.map(({ kind, value }) =>
    element(SAN[kind], Buffer.isBuffer(value) ? value : Buffer.from(value, 'latin1')),
  );
  const keyUsage = wanted.keyUsage ?? (authority ? 0x06 : 0x80);
  const extensions = [
    ...(authority ? [extension('2.5.29.19', true, sequence(TRUE, ...pathLength))] : []),
    extension('2.5.29.15', true, bits(Buffer.from([keyUsage]))),
    ...(wanted.usages ? [extension('2.5.29.37', false, sequence(...wanted.usages.map(oid)))] : []),
    ...(names.length > 0 ? [extension('2.5.29.17', false, sequence(...names))] : []),
    ...(wanted.critical ? [extension(wanted.critical, true, sequence())] : []),
  ];
  const serial = randomBytes(8);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  const body = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, serial),
    ECDSA_SHA256,
    nameOf(by.name),
    sequence(at(from), at(to)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, sequence(...extensions)),
  );
  const der = sequence(body, ECDSA_SHA256, bits(sign('sha256', body, by.privateKey)));
  return {
    der,
    pem: pemOf(der),
    name,
    privateKey,
    publicKey,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    thumbprint: createHash('sha256').update(der).digest('base64url'),
  };
}

export function createAuthority(commonName = 'Example CA', extra: Partial<Wanted> = {}): Issued {
  return issue({
    name: [
      ['O', 'Example'],
      ['CN', commonName],
    ],
    authority: true,
    ...extra,
  });
}

/** The headers by which a proxy of each form hands a certificate, and what came with it, on. */
export const HEADERS_OF = {
  rfc9440: (leaf: Buffer, chain: Buffer[] = []) => ({
    'client-cert': `:${leaf.toString('base64')}:`,
    ...(chain.length > 0 ? { 'client-cert-chain': chain.map((der) => `:${der.toString('base64')}:`).join(', ') } : {}),
  }),
  nginx: (leaf: Buffer) => ({
    'x-ssl-client-cert': encodeURIComponent(pemOf(leaf)),
    'x-ssl-client-verify': 'FAILED:unable to verify the first certificate',
  }),
  haproxy: (leaf: Buffer) => ({ 'x-ssl-client-cert': leaf.toString('base64'), 'x-ssl-client-verify': '21' }),
  traefik: (leaf: Buffer, chain: Buffer[] = []) => ({
    'x-forwarded-tls-client-cert': [leaf, ...chain].map((der) => der.toString('base64')).join(','),
  }),
  envoy: (leaf: Buffer, chain: Buffer[] = []) => ({
    'x-forwarded-client-cert': [
      'Hash=00ff',
      `Cert="${encodeURIComponent(pemOf(leaf))}"`,
      ...(chain.length > 0 ? [`Chain="${encodeURIComponent([leaf, ...chain].map(pemOf).join(''))}"`] : []),
      'Subject="CN=x,O=\\"y\\""',
      'URI=spiffe://a',
    ].join(';'),
  }),
} satisfies Record<string, (leaf: Buffer, chain?: Buffer[]) => Record<string, string>>;
