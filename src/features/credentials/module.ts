import type { Clock } from '../../kernel/clock.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';
import type { PasswordHasher } from '../../platform/crypto/password-hash.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import { createRecovery, type Recovery } from './recovery.ts';
import { type CredentialService, createCredentialService } from './service.ts';
import { createCredentialStore } from './store.ts';
import { createTotp, type Totp } from './totp.ts';

/** What people prove themselves with: the password, the authenticator app, the recovery codes. */
export interface Credentials extends CredentialService {
  totp: Totp;
  recovery: Recovery;
}

export interface CredentialsOptions {
  db: Database;
  clock: Clock;
  log: Log;
  envelope: Envelope;
  hasher: PasswordHasher;
  /** HMAC key of recovery codes (InstallationSecrets.recoveryKey). */
  recoveryKey: Uint8Array;
  /** The name that authenticator apps show; Postern unless told otherwise. */
  issuerName?: string;
}

export function createCredentials(options: CredentialsOptions): Credentials {
  const { db, clock, log, envelope, hasher, recoveryKey, issuerName = 'Postern' } = options;
  const store = createCredentialStore(db);
  return {
    ...createCredentialService({ store, hasher, clock, log }),
    totp: createTotp({ store, clock, envelope, issuerName }),
    recovery: createRecovery({ store, clock, key: recoveryKey }),
  };
}
