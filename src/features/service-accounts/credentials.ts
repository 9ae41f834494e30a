import { check, invalidInput } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import {
  type CertificateRegistration,
  type CertificateView,
  describeCertificate,
} from '../../platform/crypto/certificate-registration.ts';
import { describeKey, type PublicKeyView, type RegisteredKeys } from '../../platform/crypto/public-key-set.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Changes } from './changes.ts';
import { usesCertificate, usesKeys, usesSecret } from './errors.ts';
import { type KeysInput, readKeys, toldOf, toldOfKeys } from './registered-keys.ts';
import { type AuthMethod, certificateInput, overlapInput } from './schema.ts';
import type { ServiceAccountRow } from './store.ts';

export interface SecretView {
  id: string;
  /** The first characters of the secret. */
  prefix: string;
  createdAt: Date;
  /** null: works until it is revoked. */
  expiresAt: Date | null;
  /** To the minute or so; null: never. */
  lastUsedAt: Date | null;
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
  /** null: it does not sign assertions. */
  keysOf(tx: Tx, clientId: string): Promise<RegisteredKeys | null>;
  /** null: it does not prove itself by a certificate. */
  certificateOf(tx: Tx, clientId: string): Promise<CertificateRegistration | null>;
  useCertificate(tx: Tx, clientId: string, registration: CertificateRegistration): Promise<void>;
  issueSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
  rotateSecret(tx: Tx, clientId: string, overlapSeconds: number): Promise<IssuedSecret>;
  revokeSecret(tx: Tx, clientId: string, secretId: string): Promise<{ prefix: string }>;
  useKeys(tx: Tx, clientId: string, keys: RegisteredKeys): Promise<void>;
  useSecret(tx: Tx, clientId: string): Promise<IssuedSecret>;
}

export interface CredentialsView {
  auth: AuthMethod;
  /** Those that work now, newest first. */
  secrets: SecretView[];
  /** Those that its assertions are verified with. */
  keys: PublicKeyView[];
  /** Where they are read from instead; null: they are given, or there are none. */
  jwksUri: string | null;
  /** The name that its certificate has; null where certificates themselves are registered, and without any. */
  subject: Exclude<CertificateRegistration, { kind: 'self_signed' }> | null;
  /** Those that are registered themselves. */
  certificates: CertificateView[];
}

/** `id` is the account's. @throws invalid_input, service_accounts.not_found */
export interface Credentials {
  /** `overlapSeconds`: one of SECRET_OVERLAPS. @throws service_accounts.uses_keys */
  rotateSecret(id: string, overlapSeconds: number, origin: ChangeBy): Promise<IssuedSecret>;
  /** @throws clients.secret_not_found, service_accounts.uses_keys */
  revokeSecret(id: string, secretId: string, origin: ChangeBy): Promise<void>;
  /** Other keys for an account that signs assertions: all of them at once. @throws service_accounts.uses_secret */
  replaceKeys(id: string, keys: KeysInput, origin: ChangeBy): Promise<void>;
  /** From a secret or a certificate to assertions; its secrets end. @throws service_accounts.uses_keys */
  useKeys(id: string, keys: KeysInput, origin: ChangeBy): Promise<void>;
  /** Another certificate for an account that has one. @throws service_accounts.uses_secret, service_accounts.uses_keys */
  replaceCertificate(id: string, input: CertificateInput, origin: ChangeBy): Promise<void>;
  /** From a secret or assertions to a certificate; secrets and keys go. @throws service_accounts.uses_certificate */
  useCertificate(id: string, input: CertificateInput, origin: ChangeBy): Promise<void>;
  /** From assertions or a certificate to a secret; its keys go. @throws service_accounts.uses_secret */
  useSecret(id: string, origin: ChangeBy): Promise<IssuedSecret>;
}

/** `certificateKind`: one of CERTIFICATE_KINDS, which says what `certificate` is. */
export interface CertificateInput {
  certificateKind: string;
  certificate: string;
}

export async function credentialsOf(tx: Tx, clients: CredentialPort, clientId: string): Promise<CredentialsView> {
  const none = { secrets: [], keys: [], jwksUri: null, subject: null, certificates: [] };
  const set = await clients.keysOf(tx, clientId);
  if (set && 'uri' in set) return { ...none, auth: 'private_key_jwt', jwksUri: set.uri };
  if (set) return { ...none, auth: 'private_key_jwt', keys: set.keys.map(describeKey) };
  const registered = await clients.certificateOf(tx, clientId);
  if (registered?.kind === 'self_signed') {
    return { ...none, auth: 'certificate', certificates: registered.certificates.map(describeCertificate) };
  }
  if (registered) return { ...none, auth: 'certificate', subject: registered };
  return { ...none, auth: 'secret', secrets: await clients.secretsOf(tx, clientId) };
}

/** @throws invalid_input on the field `certificate` */
export function readCertificate(input: CertificateInput, clock: Clock): CertificateRegistration {
  const registration = check(certificateInput, input);
  const now = clock.now();
  if (registration.kind === 'self_signed') {
    const ended = registration.certificates.map(describeCertificate).some(({ notAfter }) => notAfter <= now);
    if (ended) throw invalidInput({ certificate: { code: 'certificate.expired' } });
  }
  return registration;
}

/** What the audit log keeps of a certificate. */
export function toldOfCertificate(registration: CertificateRegistration): Record<string, unknown> {
  if (registration.kind !== 'self_signed') return { ...registration };
  const certificates = registration.certificates.map(describeCertificate);
  return {
    kind: 'self_signed',
    certificates: certificates.map(({ subject, thumbprint }) => ({ subject, thumbprint })),
  };
}

/** What an account had to prove itself with, before a change. */
interface Held {
  keys: RegisteredKeys | null;
  certificate: CertificateRegistration | null;
}

/** Which keys came and which went; of keys at an address that is not known. */
function difference(before: RegisteredKeys | null, now: RegisteredKeys): Record<string, unknown> {
  if (!before || 'uri' in before || 'uri' in now)
    return before && 'uri' in before ? { removedJwksUri: before.uri } : {};
  const [old, fresh] = [toldOf(before), toldOf(now)];
  return {
    added: fresh.filter((key) => !old.some(({ thumbprint }) => thumbprint === key.thumbprint)),
    removed: old.filter((key) => !fresh.some(({ thumbprint }) => thumbprint === key.thumbprint)),
  };
}

const USES = { secret: usesSecret, private_key_jwt: usesKeys, certificate: usesCertificate };

export function createCredentials(deps: {
  db: Database;
  clock: Clock;
  clients: CredentialPort;
  changes: Changes;
  /** Why nothing can be asked of an address: a code; undefined: it can. */
  addressProblem(url: string): string | undefined;
}): Credentials {
  const { db, clock, clients, changes, addressProblem } = deps;
  const { locked, record } = changes;

  /** The account, held, and sure to prove itself in one of these ways. */
  async function holding(tx: Tx, id: string, ...allowed: AuthMethod[]): Promise<ServiceAccountRow & Held> {
    const account = await locked(tx, id);
    const keys = await clients.keysOf(tx, account.clientId);
    const certificate = await clients.certificateOf(tx, account.clientId);
    const auth = keys ? 'private_key_jwt' : certificate ? 'certificate' : 'secret';
    if (!allowed.includes(auth)) throw USES[auth]();
    return { ...account, keys, certificate };
  }

  /** Of what a switch to another way took from the account. */
  const lost = ({ keys, certificate }: Held) => ({
    ...(keys && 'uri' in keys ? { removedJwksUri: keys.uri } : {}),
    ...(keys && 'keys' in keys ? { removedKeys: toldOf(keys) } : {}),
    ...(certificate ? { removedCertificate: toldOfCertificate(certificate) } : {}),
  });

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
      const keys = readKeys(given, addressProblem);
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'private_key_jwt');
        await clients.useKeys(tx, account.clientId, keys);
        await record(tx, 'replace_keys', account, origin, { ...toldOfKeys(keys), ...difference(account.keys, keys) });
      });
    },

    async useKeys(id, given, origin) {
      const keys = readKeys(given, addressProblem);
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'secret', 'certificate');
        const secrets = await clients.secretsOf(tx, account.clientId);
        await clients.useKeys(tx, account.clientId, keys);
        const revokedSecrets = secrets.map(({ prefix }) => prefix);
        await record(tx, 'use_keys', account, origin, { ...toldOfKeys(keys), revokedSecrets, ...lost(account) });
      });
    },

    async replaceCertificate(id, input, origin) {
      const registration = readCertificate(input, clock);
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'certificate');
        await clients.useCertificate(tx, account.clientId, registration);
        const certificate = toldOfCertificate(registration);
        await record(tx, 'replace_certificate', account, origin, { certificate, ...lost(account) });
      });
    },

    async useCertificate(id, input, origin) {
      const registration = readCertificate(input, clock);
      await db.tx(async (tx) => {
        const account = await holding(tx, id, 'secret', 'private_key_jwt');
        const secrets = await clients.secretsOf(tx, account.clientId);
        await clients.useCertificate(tx, account.clientId, registration);
        const certificate = toldOfCertificate(registration);
        const revokedSecrets = secrets.map(({ prefix }) => prefix);
        await record(tx, 'use_certificate', account, origin, { certificate, revokedSecrets, ...lost(account) });
      });
    },

    useSecret: (id, origin) =>
      db.tx(async (tx) => {
        const account = await holding(tx, id, 'private_key_jwt', 'certificate');
        const issued = await clients.useSecret(tx, account.clientId);
        await record(tx, 'use_secret', account, origin, { secretPrefix: issued.prefix, ...lost(account) });
        return issued;
      }),
  };
}
