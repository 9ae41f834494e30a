import { randomBytes } from 'node:crypto';
import type { ClientSettings } from '../../kernel/client-settings.ts';
import { after, type Clock } from '../../kernel/clock.ts';
import { isId, newId } from '../../kernel/ids.ts';
import type { CertificateRegistration } from '../../platform/crypto/certificate-registration.ts';
import type { RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import { type ClientSecretMade, generateClientSecret } from '../../platform/crypto/secrets.ts';
import type { Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { findCertificate, forgetSubject, writeCertificate } from './certificate-store.ts';
import { fapiSecret, secretNotFound } from './errors.ts';
import { findProtocol } from './protocol-store.ts';
import * as store from './store.ts';

export interface IssuedSecret {
  id: string;
  /** In clear, this once. */
  secret: string;
  prefix: string;
}

/**
 * The protocol's side of whoever gets tokens: its row and its secrets. Everything runs inside the caller's transaction,
 * tells the caches at its commit, and leaves the audit event to the caller.
 */
export interface ClientRegistry {
  /** A client that can use client_credentials only; with keys it signs assertions. Returns its client_id. */
  addService(tx: Tx, name: string, keys?: RegisteredKeys): Promise<string>;
  rename(tx: Tx, clientId: string, name: string): Promise<void>;
  /** False where it was so already. */
  setDisabled(tx: Tx, clientId: string, disabled: boolean): Promise<boolean>;
  remove(tx: Tx, clientId: string): Promise<boolean>;
  /** Something that its tokens depend on has changed elsewhere. */
  touch(tx: Tx, clientId: string): Promise<void>;
  /** Those that work now, newest first. */
  secretsOf(tx: Tx, clientId: string): Promise<store.SecretView[]>;
  /** null: it does not sign assertions. */
  keysOf(tx: Tx, clientId: string): Promise<RegisteredKeys | null>;
  /** null: it does not prove itself by a certificate. */
  certificateOf(tx: Tx, clientId: string): Promise<CertificateRegistration | null>;
  /** From now on it proves itself by such a certificate (RFC 8705 section 2) and by nothing else. */
  useCertificate(tx: Tx, clientId: string, registration: CertificateRegistration): Promise<void>;
  /** From now on its assertions are verified with these alone, and no secret works. */
  useKeys(tx: Tx, clientId: string, keys: RegisteredKeys): Promise<void>;
  /** @throws clients.fapi_secret, where a client under the FAPI profile would prove itself with a secret */
  allowSecret(settings: ClientSettings): void;
  /** From now on no assertion of its counts, and the secret does that comes back. @throws clients.fapi_secret */
  useSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
  /** `made`: one that was generated before, for an answer that is put together elsewhere. */
  issueSecret(tx: Tx, clientId: string, made?: ClientSecretMade): Promise<IssuedSecret>;
  /** The newest secret so far works for `overlapSeconds` more, older ones end now: never more than two at once. */
  rotateSecret(tx: Tx, clientId: string, overlapSeconds: number): Promise<IssuedSecret>;
  /** @throws clients.secret_not_found */
  revokeSecret(tx: Tx, clientId: string, secretId: string): Promise<{ prefix: string }>;
}

export function createClientRegistry({ clock }: { clock: Clock }): ClientRegistry {
  const touch = (tx: Tx, clientId: string) => notifyOnCommit(tx, CLIENT_CHANGED, clientId);

  async function issueSecret(tx: Tx, clientId: string, made = generateClientSecret()): Promise<IssuedSecret> {
    const { secret, hash, prefix } = made;
    const at = clock.now();
    const id = newId(at.getTime());
    await store.insertSecret(tx, { id, clientId, hash, prefix, at });
    await touch(tx, clientId);
    return { id, secret, prefix };
  }

  function allowSecret(settings: ClientSettings): void {
    if (settings.fapi) throw fapiSecret();
  }

  return {
    touch,
    issueSecret,
    allowSecret,

    async addService(tx, name, keys) {
      const clientId = newClientId('svc');
      await store.insertClient(tx, {
        clientId,
        name,
        type: 'service',
        ...(keys ? { authMethod: 'private_key_jwt', keys } : { authMethod: 'client_secret_basic' }),
        redirectUris: [],
        postLogoutRedirectUris: [],
        scopes: [],
        firstParty: false,
        at: clock.now(),
      });
      return clientId;
    },

    async rename(tx, clientId, name) {
      await store.renameClient(tx, clientId, name, clock.now());
      await touch(tx, clientId);
    },

    async setDisabled(tx, clientId, disabled) {
      const changed = await store.setClientDisabled(tx, clientId, disabled, clock.now());
      if (changed) await touch(tx, clientId);
      return changed;
    },

    async remove(tx, clientId) {
      const removed = await store.deleteClient(tx, clientId);
      if (removed) await touch(tx, clientId);
      return removed;
    },

    secretsOf: (tx, clientId) => store.workingSecrets(tx, clientId, clock.now()),

    keysOf: store.keysOf,

    certificateOf: findCertificate,

    async useCertificate(tx, clientId, registration) {
      await store.lockClient(tx, clientId);
      await store.deleteSecretsExcept(tx, clientId, undefined);
      await writeCertificate(tx, clientId, registration, clock.now());
      await touch(tx, clientId);
    },

    async useKeys(tx, clientId, keys) {
      await store.lockClient(tx, clientId);
      await store.deleteSecretsExcept(tx, clientId, undefined);
      await forgetSubject(tx, clientId);
      await store.setAuthentication(tx, clientId, { authMethod: 'private_key_jwt', keys, at: clock.now() });
      await touch(tx, clientId);
    },

    async useSecret(tx, clientId) {
      await store.lockClient(tx, clientId);
      allowSecret((await findProtocol(tx, clientId))?.settings ?? {});
      await store.deleteSecretsExcept(tx, clientId, undefined);
      await forgetSubject(tx, clientId);
      await store.setAuthentication(tx, clientId, { authMethod: 'client_secret_basic', at: clock.now() });
      return await issueSecret(tx, clientId);
    },

    async rotateSecret(tx, clientId, overlapSeconds) {
      // Two rotations at once must not leave three secrets.
      await store.lockClient(tx, clientId);
      const [newest] = await store.workingSecrets(tx, clientId, clock.now());
      const end = after(clock, overlapSeconds);
      const keep = overlapSeconds > 0 ? newest : undefined;
      await store.deleteSecretsExcept(tx, clientId, keep?.id);
      if (keep && (keep.expiresAt === null || keep.expiresAt > end)) await store.setSecretExpiry(tx, keep.id, end);
      return await issueSecret(tx, clientId);
    },

    async revokeSecret(tx, clientId, secretId) {
      const secret = isId(secretId) ? await store.deleteSecret(tx, clientId, secretId) : null;
      if (!secret) throw secretNotFound();
      await touch(tx, clientId);
      return secret;
    },
  };
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 100 random bits in letters that people can read out to each other: no 0/o, no 1/l. */
export function newClientId(prefix: 'svc' | 'app'): string {
  return `${prefix}_${Array.from(randomBytes(20), (byte) => LETTERS[byte & 31]).join('')}`;
}
