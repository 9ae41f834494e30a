import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '../../kernel/errors.ts';
import { type Config, type SettingName, settings } from './schema.ts';

/** A setting is wrong: `setting` names it, the message says what it must be. Never carries the value itself. */
export function invalidSetting(setting: string, problem: string, cause?: unknown): AppError {
  return new AppError('config.invalid', { status: 500, detail: `${setting} ${problem}`, params: { setting }, cause });
}

function isSetting(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** The text of a setting: from NAME, or from the file that NAME_FILE names. Empty counts as absent. */
function readText(env: NodeJS.ProcessEnv, name: SettingName): { text: string; from: string } | undefined {
  const direct = env[name];
  const file = env[`${name}_FILE`];
  const hasFile = file !== undefined && file !== '';
  if (direct !== undefined && direct !== '') {
    if (hasFile) throw invalidSetting(`${name}_FILE`, `is set beside ${name}: keep one of them`);
    return { text: direct, from: name };
  }
  if (!hasFile) return undefined;
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? undefined : { text, from: `${name}_FILE` };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an error';
    throw invalidSetting(`${name}_FILE`, `names a file that can't be read (${code}): ${file}`, error);
  }
}

function refuseUnknown(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith('POSTERN_')) continue;
    const base = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : name;
    if (!isSetting(base)) throw invalidSetting(name, 'is not a setting of Postern');
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\.|^\[::1\]$/.test(hostname);
}

/**
 * The only reader of the environment. Throws AppError `config.invalid` (status 500) whose `detail` is a sentence that
 * begins with the setting's name.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  refuseUnknown(env);

  function read<N extends SettingName>(name: N): ReturnType<(typeof settings)[N]['parse']> | undefined {
    const found = readText(env, name);
    if (found === undefined) return undefined;
    const result = settings[name].safeParse(found.text);
    if (!result.success) throw invalidSetting(found.from, result.error.issues[0]?.message ?? 'is not valid');
    return result.data as ReturnType<(typeof settings)[N]['parse']>;
  }

  const port = read('PORT') ?? 3000;
  const issuerUrl = new URL(read('POSTERN_ISSUER') ?? `http://localhost:${port}`);
  const secure = issuerUrl.protocol === 'https:';
  const loopback = isLoopback(issuerUrl.hostname);
  if (!secure && !loopback) {
    throw invalidSetting('POSTERN_ISSUER', 'must be https, except on localhost (OpenID Connect Discovery section 3)');
  }
  const managementPort = read('POSTERN_MANAGEMENT_PORT');
  const sessionIdleSeconds = read('POSTERN_SESSION_IDLE_SECONDS') ?? 3600;
  const sessionAbsoluteSeconds = read('POSTERN_SESSION_ABSOLUTE_SECONDS') ?? 86_400;
  if (sessionIdleSeconds > sessionAbsoluteSeconds) {
    throw invalidSetting(
      'POSTERN_SESSION_IDLE_SECONDS',
      `must not be longer than POSTERN_SESSION_ABSOLUTE_SECONDS (${sessionAbsoluteSeconds})`,
    );
  }
  const trustedProxies = read('POSTERN_TRUSTED_PROXIES') ?? [];
  const certificates = readCertificateSettings(read, trustedProxies, issuerUrl);
  return {
    port,
    host: read('POSTERN_HOST') ?? (loopback ? '127.0.0.1' : '0.0.0.0'),
    issuer: issuerUrl.origin,
    issuerUrl,
    secure,
    databaseUrl: read('DATABASE_URL'),
    dataDir: path.resolve(read('POSTERN_DATA_DIR') ?? 'data'),
    masterKey: read('POSTERN_MASTER_KEY'),
    trustedProxies,
    smtpUrl: read('POSTERN_SMTP_URL'),
    mailFrom: read('POSTERN_MAIL_FROM') ?? `Postern <postern@${issuerUrl.hostname}>`,
    workers: read('POSTERN_WORKERS') ?? 1,
    managementHost: read('POSTERN_MANAGEMENT_HOST') ?? '127.0.0.1',
    managementPort: managementPort ?? 9000,
    managementPortExplicit: managementPort !== undefined,
    logLevel: read('POSTERN_LOG_LEVEL') ?? 'info',
    sessionIdleSeconds,
    sessionAbsoluteSeconds,
    allowedHosts: read('POSTERN_ALLOWED_HOSTS') ?? [],
    ...certificates,
    outgoingAllow: read('POSTERN_OUTGOING_ALLOW') ?? [],
    registration: read('POSTERN_REGISTRATION') ?? 'off',
  };
}

type Read = <N extends SettingName>(name: N) => ReturnType<(typeof settings)[N]['parse']> | undefined;

/** Certificates are read from the header of a trusted proxy alone: every other setting about them needs both. */
function readCertificateSettings(read: Read, trustedProxies: string[], issuerUrl: URL) {
  const clientCertificateHeader = read('POSTERN_CLIENT_CERTIFICATE_HEADER');
  const authorities = read('POSTERN_CLIENT_CA');
  const mtlsIssuer = read('POSTERN_MTLS_ISSUER');
  const name = 'POSTERN_CLIENT_CERTIFICATE_HEADER';
  if (clientCertificateHeader === undefined) {
    const needs = authorities ? 'POSTERN_CLIENT_CA' : mtlsIssuer ? 'POSTERN_MTLS_ISSUER' : undefined;
    if (needs) throw invalidSetting(needs, `is of no use without ${name}`);
  } else if (trustedProxies.length === 0) {
    throw invalidSetting(name, 'needs POSTERN_TRUSTED_PROXIES: the header counts from those alone');
  }
  const mtlsIssuerUrl = mtlsIssuer === undefined ? undefined : new URL(mtlsIssuer);
  if (mtlsIssuerUrl?.host === issuerUrl.host) {
    throw invalidSetting('POSTERN_MTLS_ISSUER', 'must be another address than POSTERN_ISSUER, or be left out');
  }
  return { clientCertificateHeader, clientAuthorities: authorities ?? [], mtlsIssuerUrl };
}
