import type { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { readPem } from '../crypto/certificate.ts';
import { authorityProblem } from '../crypto/certificate-chain.ts';
import { readAllowEntry } from '../outgoing/allow-list.ts';
import { CERTIFICATE_HEADERS, type CertificateHeader } from '../web/client-certificate.ts';

/** What the installation is told from outside, once, at start. Durations are seconds. */
export interface Config {
  /** 0: any free port (the issuer then follows it). */
  port: number;
  host: string;
  /** The issuer identifier (RFC 8414 section 2), without a trailing slash. */
  issuer: string;
  issuerUrl: URL;
  /** The issuer is https: cookies are Secure, HSTS is sent. */
  secure: boolean;
  /** Absent: the embedded PostgreSQL in the data folder. */
  databaseUrl: string | undefined;
  /** Absolute path. */
  dataDir: string;
  masterKey: Buffer | undefined;
  /** Addresses or CIDR ranges whose forwarded headers count. */
  trustedProxies: string[];
  smtpUrl: string | undefined;
  mailFrom: string;
  /** Processes that serve. */
  workers: number;
  managementHost: string;
  managementPort: number;
  /** It was set: a port that is taken then stops the start instead of being passed over. */
  managementPortExplicit: boolean;
  logLevel: string;
  sessionIdleSeconds: number;
  sessionAbsoluteSeconds: number;
  /** Host names (with port, where it is not the scheme's own) served beside the issuer's. */
  allowedHosts: string[];
  /** How trusted proxies hand a client's certificate on (RFC 8705); undefined: certificates are not looked at. */
  clientCertificateHeader: CertificateHeader | undefined;
  /** Whoever issues certificates that stand for a client by a name. */
  clientAuthorities: X509Certificate[];
  /** Where proxies ask for certificates (RFC 8705 section 5); undefined: at the issuer's own address, or nowhere. */
  mtlsIssuerUrl: URL | undefined;
  /** Hosts, addresses and ranges that outgoing requests may go to although they are not public (outgoing/allow-list.ts). */
  outgoingAllow: string[];
  /** Whether applications can register themselves (RFC 7591): not at all, or with an initial access token. */
  registration: 'off' | 'token';
}

const wholeNumber = (low: number, high: number, what = 'a whole number') =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be ${what} from ${low} to ${high}`)
    .transform(Number)
    .refine((value) => value >= low && value <= high, `must be ${what} from ${low} to ${high}`);

const port = wholeNumber(0, 65535, 'a port number');
const list = z.string().transform((value) => value.split(/[\s,]+/).filter((entry) => entry !== ''));

function url(protocols: string[], message: string) {
  const isUrl = (value: string) => protocols.includes(URL.parse(value)?.protocol ?? '');
  // abort: what further checks take apart must be a URL.
  return z.string().refine(isUrl, { message, abort: true });
}

function origin(protocols: string[], message: string) {
  return url(protocols, message)
    .refine((value) => {
      const parsed = new URL(value);
      return parsed.search === '' && parsed.hash === '' && parsed.username === '' && parsed.password === '';
    }, 'must have no query, fragment, user or password')
    .refine(
      (value) => new URL(value).pathname === '/',
      'must have no path: Postern needs a host name (or port) of its own',
    );
}

const issuer = origin(['https:', 'http:'], 'must be an absolute URL such as https://id.example.com');

const masterKey = z.string().transform((value, context) => {
  const key = Buffer.from(value, 'base64url');
  if (key.length === 32 && /^[A-Za-z0-9_-]{43}=?$/.test(value)) return key;
  // The value itself must never be part of a message.
  context.addIssue({ code: 'custom', message: 'must be 32 random bytes as base64url (43 characters)' });
  return z.NEVER;
});

const proxies = list.refine(
  (entries) => entries.every((entry) => /^[0-9a-f:.]+(\/\d{1,3})?$/i.test(entry)),
  'must be addresses or CIDR ranges, separated by commas',
);

const outgoing = list.refine(
  (entries) => entries.every((entry) => readAllowEntry(entry) !== undefined),
  'must be host names, host:port, addresses or CIDR ranges, separated by commas',
);

const clientAuthorities = z.string().transform((value, context): X509Certificate[] => {
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  let certificates: X509Certificate[];
  try {
    certificates = readPem(value);
  } catch {
    return refuse('must be certificates of authorities as PEM, and nothing else');
  }
  for (const certificate of certificates) {
    const problem = authorityProblem(certificate);
    if (problem) return refuse(`holds a certificate (serial ${certificate.serialNumber}) that ${problem}`);
  }
  return certificates;
});

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const DATABASE_PROTOCOLS = ['postgres:', 'postgresql:'];

/** Every setting by its name in the environment. Absent settings get their default in load.ts. */
export const settings = {
  PORT: port,
  DATABASE_URL: url(DATABASE_PROTOCOLS, 'must be a URL such as postgresql://user:password@host:5432/database'),
  POSTERN_HOST: z.string(),
  POSTERN_ISSUER: issuer,
  POSTERN_DATA_DIR: z.string(),
  POSTERN_MASTER_KEY: masterKey,
  POSTERN_TRUSTED_PROXIES: proxies,
  POSTERN_ALLOWED_HOSTS: list,
  POSTERN_CLIENT_CERTIFICATE_HEADER: z.enum(CERTIFICATE_HEADERS, {
    message: `must be one of ${CERTIFICATE_HEADERS.join(', ')}`,
  }),
  POSTERN_CLIENT_CA: clientAuthorities,
  POSTERN_MTLS_ISSUER: origin(['https:'], 'must be an absolute https URL such as https://mtls.id.example.com'),
  POSTERN_OUTGOING_ALLOW: outgoing,
  POSTERN_REGISTRATION: z.enum(['off', 'token'], { message: 'must be off or token' }),
  POSTERN_SMTP_URL: url(['smtp:', 'smtps:'], 'must be a URL such as smtps://user:password@mail.example.com'),
  POSTERN_MAIL_FROM: z.string().regex(/^[^\r\n]*[^\s@]+@[^\s@]+$|^[^\r\n<]*<[^\s@<>]+@[^\s@<>]+>$/, {
    message: 'must be a mail address such as Postern <postern@example.com>',
  }),
  POSTERN_WORKERS: wholeNumber(1, 64),
  POSTERN_MANAGEMENT_HOST: z.string(),
  POSTERN_MANAGEMENT_PORT: port,
  POSTERN_LOG_LEVEL: z.enum(LOG_LEVELS, { message: `must be one of ${LOG_LEVELS.join(', ')}` }),
  POSTERN_SESSION_IDLE_SECONDS: wholeNumber(60, 31_536_000, 'seconds'),
  POSTERN_SESSION_ABSOLUTE_SECONDS: wholeNumber(60, 31_536_000, 'seconds'),
} as const;

export type SettingName = keyof typeof settings;
