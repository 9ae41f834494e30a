import { check } from '../../kernel/check.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import { describeKey, type PublicKeySet, type PublicKeyView } from '../../platform/crypto/public-key-set.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Changes } from './changes.ts';
import { usesKeys, usesSecret } from './errors.ts';
import { type AuthMethod, keysInput, overlapInput } from './schema.ts';
import type { ServiceAccountRow } from './store.ts';

export interface SecretView {
  id: string;
  /** The first characters of the secret. */
  prefix: string;
  createdAt: Date;
  /** null: works until it is revoked. */
  expiresAt: Date | null;
}

export interface IssuedSecret {
  id: string;
  /** In clear, this once. */
  secret: string;
  prefix: string;
}

/** What an account proves itself with; all of it runs in the transaction of the use case. */
export interface CredentialPort {
  secretsOf(tx: Tx, clientId: string): Promise<SecretView[]>;
  /** null: it uses a secret. */
  keysOf(tx: Tx, clientId: string): Promise<PublicKeySet | null>;
  issueSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
  rotateSecret(tx: Tx, clientId: string, overlapSeconds: number): Promise<IssuedSecret>;
  revokeSecret(tx: Tx, clientId: string, secretId: string): Promise<{ prefix: string }>;
  useKeys(tx: Tx, clientId: string, keys: PublicKeySet): Promise<void>;
  useSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
}

export interface CredentialsView {
  auth: AuthMethod;
  /** Those that work now, newest first. */
  secrets: SecretView[];
  /** Those that its assertions are verified with. */
  keys: PublicKeyView[];
}

/** `id` is the account's. @throws invalid_input, service_accounts.not_found */
export interface Credentials {
  /** `overlapSeconds`: one of SECRET_OVERLAPS. @throws service_accounts.uses_keys */
  rotateSecret(id: string, overlapSeconds: number, origin: ChangeBy): Promise<IssuedSecret>;
  /** @throws clients.secret_not_found, service_accounts.uses_keys */
  revokeSecret(id: string, secretId: string, origin: ChangeBy): Promise<void>;
  /** Other keys for an account that signs assertions: all of them at once. @throws service_accounts.uses_secret */
  replaceKeys(id: string, jwks: unknown, origin: ChangeBy): Promise<void>;
  /** From a secret to assertions; its secrets end. @throws service_accounts.uses_keys */
  useKeys(id: string, jwks: unknown, origin: ChangeBy): Promise<void>;
  /** From assertions to a secret; its keys go. @throws service_accounts.uses_secret */
  useSecret(id: string, origin: ChangeBy): Promise<IssuedSecret>;
}

export async function credentialsOf(tx: Tx, clients: CredentialPort, clientId: string): Promise<CredentialsView> {
  const set = await clients.keysOf(tx, clientId);
  if (set) return { auth: 'private_key_jwt', secrets: [], keys: set.keys.map(describeKey) };
  return { auth: 'secret', secrets: await clients.secretsOf(tx, clientId), keys: [] };
}

/** What the audit log keeps of a set. */
export function toldOf({ keys }: PublicKeySet): { kid: string; thumbprint: string }[] {
  return keys.map(describeKey).map(({ kid, thumbprint }) => ({ kid, thumbprint }));
}

export function createCredentials(deps: { db: Database; clients: CredentialPort; changes: Changes }): Credentials {
  const { db, clients, changes } = deps;
  const { locked, record } = changes;

  /** The account, held, and sure to prove itself this way. */
  async function holding(tx: Tx, id: string, auth: AuthMethod): Promise<ServiceAccountRow & { keys: PublicKeySet }> {
    const account = await locked(tx, id);
    const keys = await clients.keysOf(tx, account.clientId);
    if (auth === 'secret' && keys) throw usesKeys();
    if (auth === 'private_key_jwt' && !keys) throw usesSecret();
    return { ...account, keys: keys ?? { keys: [] } };
  }

  return {
    async rotateSecret(id, overlapSeconds, origin) {
      const { overlap } = check(overlapInput, { overlap: overlapSeconds });
      return await db.tx(async (tx) => {
        const account = await holding(tx, id, 'secret');
        const issued = await clients.rotateSecret(tx, account.clientId, overlap);
        const data = { secretPrefix: issued.prefix, overlapSeconds: overlap };
        await record(tx, 'rotate_secret', account, origin, data);
        return issued;
      });
    },

    async revokeSecret(id, secretId, origin) {
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'secret');
        const { prefix } = await clients.revokeSecret(tx, account.clientId, secretId);
        await record(tx, 'revoke_secret', account, origin, { secretPrefix: prefix });
      });
    },

    async replaceKeys(id, given, origin) {
      const { jwks } = check(keysInput, { jwks: given });
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'private_key_jwt');
        const [before, now] = [toldOf(account.keys), toldOf(jwks)];
        await clients.useKeys(tx, account.clientId, jwks);
        const added = now.filter((key) => !before.some(({ thumbprint }) => thumbprint === key.thumbprint));
        const removed = before.filter((key) => !now.some(({ thumbprint }) => thumbprint === key.thumbprint));
        await record(tx, 'replace_keys', account, origin, { keys: now, added, removed });
      });
    },

    async useKeys(id, given, origin) {
      const { jwks } = check(keysInput, { jwks: given });
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'secret');
        const secrets = await clients.secretsOf(tx, account.clientId);
        await clients.useKeys(tx, account.clientId, jwks);
        const revokedSecrets = secrets.map(({ prefix }) => prefix);
        await record(tx, 'use_keys', account, origin, { keys: toldOf(jwks), revokedSecrets });
      });
    },

    useSecret: (id, origin) =>
      db.tx(async (tx) => {
        const account = await holding(tx, id, 'private_key_jwt');
        const issued = await clients.useSecret(tx, account.clientId);
        await record(tx, 'use_secret', account, origin, {
          secretPrefix: issued.prefix,
          removedKeys: toldOf(account.keys),
        });
        return issued;
      }),
  };
}
