// docs/settings.md, from the schema and the defaults of the settings themselves.
import { loadConfig } from '../../src/platform/config/load.ts';
import type { Config } from '../../src/platform/config/schema.ts';
import { type SettingName, settings } from '../../src/platform/config/schema.ts';

interface About {
  field: keyof Config;
  what: string;
  /** What holds when it is absent, where no value can say it. */
  absent?: string;
}

/** A setting without an entry here does not compile. */
const about: Record<SettingName, About> = {
  PORT: { field: 'port', what: 'Port that Postern listens on. 0 takes any free one; the issuer then follows it.' },
  DATABASE_URL: {
    field: 'databaseUrl',
    what: 'The PostgreSQL database (15 or later). Its user must own the database or may create tables in its schema.',
    absent: 'the embedded PostgreSQL 18 in the data folder',
  },
  POSTERN_HOST: { field: 'host', what: 'Address that Postern and its management port listen on.' },
  POSTERN_ISSUER: {
    field: 'issuer',
    what:
      'The issuer: the address that browsers and services reach Postern under, and the `iss` of every token. ' +
      'https, except on localhost; a host name (or port) of its own, without a path.',
    absent: '`http://localhost:PORT`',
  },
  POSTERN_DATA_DIR: {
    field: 'dataDir',
    what: 'Folder for the master key, the embedded database and mails that are not sent.',
    absent: '`data` in the working folder',
  },
  POSTERN_MASTER_KEY: {
    field: 'masterKey',
    what: 'The key that signing keys, TOTP seeds and the installation’s own secrets are encrypted with.',
    absent: '`master.key` in the data folder, made on the first start and never where data exists',
  },
  POSTERN_TRUSTED_PROXIES: {
    field: 'trustedProxies',
    what: 'Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Request-Id` count.',
    absent: 'none: those headers are ignored',
  },
  POSTERN_ALLOWED_HOSTS: {
    field: 'allowedHosts',
    what: 'Host names (with a port that is not the scheme’s own) served beside the issuer’s; any other gets 421.',
    absent: 'none',
  },
  POSTERN_OUTGOING_ALLOW: {
    field: 'outgoingAllow',
    what: 'Where requests of Postern may go although the address is not public (keys by URI, discovery, logout notices): a Kubernetes API server, an application in the same network. A host that is listed may be http too; a host name without a port means all its ports. Certificates of a CA of your own: start with `NODE_EXTRA_CA_CERTS=/path/ca.pem`.',
    absent: 'none: https to public addresses only',
  },
  POSTERN_REGISTRATION: {
    field: 'registration',
    what: 'Whether applications can register themselves ([dynamic client registration](guides/registration.md)): `off`, or `token` with an initial access token that an admin made.',
  },
  POSTERN_CLIENT_CERTIFICATE_HEADER: {
    field: 'clientCertificateHeader',
    what:
      'How the trusted proxies hand the client’s certificate on ([mutual TLS](guides/mutual-tls.md)). The header counts from ' +
      '`POSTERN_TRUSTED_PROXIES` alone, which must overwrite or remove it in every request.',
    absent: 'mutual TLS is off: certificates are not looked at',
  },
  POSTERN_CLIENT_CA: {
    field: 'clientAuthorities',
    what:
      'The certificates, as PEM, of the authorities that issue those of clients. Each is trusted as it is; ' +
      '`POSTERN_CLIENT_CA_FILE` names a file.',
    absent: 'none: only certificates that are registered themselves prove a client',
  },
  POSTERN_MTLS_ISSUER: {
    field: 'mtlsIssuerUrl',
    what:
      'The address at which the proxy asks for certificates, where it is not the issuer’s. It is served for the endpoints of ' +
      'the protocol alone and listed as `mtls_endpoint_aliases`; certificates then count under it alone.',
    absent: 'certificates count at the issuer’s own address',
  },
  POSTERN_SMTP_URL: {
    field: 'smtpUrl',
    what: 'Mail server, with user and password where it asks for them.',
    absent: 'mails are kept as `.eml` files in `mail` in the data folder',
  },
  POSTERN_MAIL_FROM: { field: 'mailFrom', what: 'Sender of mails.' },
  POSTERN_WORKERS: { field: 'workers', what: 'Processes that serve on the one port.' },
  POSTERN_MANAGEMENT_HOST: {
    field: 'managementHost',
    what: 'Address that `/metrics` listens on: this machine alone, unless a monitoring elsewhere has to reach it.',
  },
  POSTERN_MANAGEMENT_PORT: {
    field: 'managementPort',
    what:
      'Port of `/metrics`, `/healthz` and `/readyz`. Set, it must be free; left out, a port that is taken is passed ' +
      'over with a warning. With several workers each has its own: this one and those that follow.',
  },
  POSTERN_LOG_LEVEL: { field: 'logLevel', what: 'Least important log lines that are written.' },
  POSTERN_SESSION_IDLE_SECONDS: {
    field: 'sessionIdleSeconds',
    what: 'A browser’s session ends after this time without use.',
  },
  POSTERN_SESSION_ABSOLUTE_SECONDS: {
    field: 'sessionAbsoluteSeconds',
    what: 'A browser’s session ends this long after the sign-in, used or not.',
  },
};

const local = loadConfig({});
const elsewhere = loadConfig({ POSTERN_ISSUER: 'https://id.example.com' });

function shown(value: Config[keyof Config]): string {
  return `\`${String(value)}\``;
}

function defaultOf({ field, absent }: About): string {
  if (absent !== undefined) return absent;
  const [here, there] = [shown(local[field]), shown(elsewhere[field])];
  return here === there ? here : `${here}; where the issuer is \`https://id.example.com\`: ${there}`;
}

/** What the schema says about a value that it refuses; undefined where it takes any text. */
function rule(name: SettingName): string | undefined {
  const result = settings[name].safeParse('?');
  return result.success ? undefined : result.error.issues[0]?.message;
}

export function settingsPage(): string {
  const sections = (Object.keys(settings) as SettingName[]).map((name) => {
    const must = rule(name);
    return [
      `## ${name}`,
      '',
      about[name].what,
      '',
      ...(must === undefined ? [] : [`- Value: ${must.replace(/^must (be|have) /, '')}`]),
      `- When absent: ${defaultOf(about[name])}`,
      '',
    ].join('\n');
  });
  return [
    '# Settings',
    '',
    '<!-- Generated by "node scripts/run.mjs docs" from src/platform/config. Change it there. -->',
    '',
    'Settings come from the environment and are read once, at start. Each may also be given as `NAME_FILE`, the path of a',
    'file that holds the value (for secrets that a container platform mounts); giving both stops the start. An empty value',
    'counts as absent. An unknown name that begins with `POSTERN_`, or a value that is not valid, stops the start with a',
    'message that names it. `npm run --silent postern -- doctor` checks all of them.',
    '',
    ...sections,
  ].join('\n');
}
