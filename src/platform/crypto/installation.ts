import { randomBytes } from 'node:crypto';
import { randomToken } from '../../kernel/ids.ts';
import type { Envelope } from './envelope.ts';
import type { SettingStore } from './setting-store.ts';

export interface InstallationSecrets {
  /** Sign cookies; the first signs, all verify. */
  cookieKeys: string[];
  csrfKey: Buffer;
  /** The `secret` input of argon2; its id stands beside each hash made with it. */
  pepper: { id: string; key: Buffer };
  /** HMAC key of the abuse counters' names. */
  counterKey: Buffer;
  /** HMAC key of recovery codes. */
  recoveryKey: Buffer;
  /** 32 bytes, of which the nonces of DPoP are derived (RFC 9449 section 8). */
  dpopNonceKey: Buffer;
  pairwiseSalt: string;
}

const key = (): string => randomBytes(32).toString('base64url');

const makers = {
  cookie_keys: () => [key()],
  csrf_key: key,
  pepper: () => ({ id: randomToken(6), key: key() }),
  counter_key: key,
  recovery_key: key,
  dpop_nonce_key: key,
  pairwise_salt: key,
};

type Name = keyof typeof makers;

/**
 * The secrets that every process of an installation shares: rows of `setting`, sealed, made once. Of processes that
 * start together for the first time one writes each row and all read that one.
 */
export async function loadInstallationSecrets(
  settings: SettingStore,
  envelope: Envelope,
): Promise<InstallationSecrets> {
  const names = Object.keys(makers) as Name[];
  const aad = (name: string): string => `setting|value_enc|${name}`;
  let rows = await settings.read(names);
  const absent = names.filter((name) => !rows.has(name));
  if (absent.length > 0) {
    const made = (name: Name): Buffer => envelope.seal(Buffer.from(JSON.stringify(makers[name]())), aad(name));
    await settings.add(new Map(absent.map((name) => [name, made(name)])));
    rows = await settings.read(names);
  }
  const value = <N extends Name>(name: N): ReturnType<(typeof makers)[N]> => {
    const sealed = rows.get(name);
    if (!sealed) throw new Error(`the setting ${name} holds no secret`);
    return JSON.parse(envelope.open(sealed, aad(name)).toString('utf8'));
  };
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');
  const pepper = value('pepper');
  return {
    cookieKeys: value('cookie_keys'),
    csrfKey: bytes(value('csrf_key')),
    pepper: { id: pepper.id, key: bytes(pepper.key) },
    counterKey: bytes(value('counter_key')),
    recoveryKey: bytes(value('recovery_key')),
    dpopNonceKey: bytes(value('dpop_nonce_key')),
    pairwiseSalt: value('pairwise_salt'),
  };
}
