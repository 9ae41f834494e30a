import type { Clock } from '../../kernel/clock.ts';
import { AppError, type FieldError } from '../../kernel/errors.ts';
import type { PasswordHasher } from '../../platform/crypto/password-hash.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';
import { checkPasswordPolicy, type PasswordContext } from './password-policy.ts';
import type { CredentialStore } from './store.ts';

export interface Factors {
  totp: { createdAt: Date; lastUsedAt: Date | null } | null;
  /** Recovery codes that were not used yet. */
  recoveryLeft: number;
}

export interface StoredPassword {
  userId: string;
  hash: string;
  pepperId: string;
}

export interface CredentialService {
  /** Null, or why this password can't be chosen: `password.too_short`, `.too_long`, `.common`, `.context`. */
  checkPasswordPolicy(password: string, context: PasswordContext): FieldError | null;
  /** Slow, and never to be awaited inside a transaction. AppError `busy` (503) when too many wait. */
  hashPassword(password: string): Promise<string>;
  /** `hash` comes from hashPassword. Writes no audit event. */
  setPassword(tx: Tx, userId: string, hash: string): Promise<void>;
  /** As verifyStored, of a person. */
  verifyPassword(userId: string, password: string): Promise<boolean>;
  /**
   * The same work for a wrong password, a person without one and nobody (null), so that their answers take the same
   * time (S63). AppError `busy` (503) when too many wait.
   */
  verifyStored(stored: StoredPassword | null, password: string): Promise<boolean>;
  factorsOf(userId: string, tx?: Tx): Promise<Factors>;
  /** Deletes the TOTP factor and the recovery codes; false when there was nothing. Writes no audit event. */
  resetFactors(tx: Tx, userId: string): Promise<boolean>;
}

export function createCredentialService(deps: {
  store: CredentialStore;
  hasher: PasswordHasher;
  clock: Clock;
  log: Log;
}): CredentialService {
  const { store, hasher, clock, log } = deps;

  async function verifyStored(stored: StoredPassword | null, password: string): Promise<boolean> {
    if (stored?.pepperId !== hasher.pepperId) {
      if (stored) {
        const { userId } = stored;
        log.error({ userId }, 'a password was hashed with another pepper and can not be verified');
      }
      await hasher.burn(password);
      return false;
    }
    const { userId, hash } = stored;
    let result: { ok: boolean; rehash: boolean };
    try {
      result = await hasher.verify(hash, password);
    } catch (error) {
      if (error instanceof AppError) throw error;
      // One damaged row closes one account, and tells nobody outside which.
      log.error({ err: error, userId }, 'a stored password hash can not be read');
      await hasher.burn(password);
      return false;
    }
    if (result.rehash) await store.replaceHash(userId, hash, await hasher.hash(password), hasher.pepperId);
    return result.ok;
  }

  return {
    checkPasswordPolicy,
    hashPassword: (password) => hasher.hash(password),
    setPassword: (tx, userId, hash) => store.putPassword(tx, userId, hash, hasher.pepperId, clock.now()),

    async verifyPassword(userId, password) {
      const stored = await store.passwordOf(userId);
      return verifyStored(stored && { userId, ...stored }, password);
    },
    verifyStored,

    factorsOf: (userId, tx) => store.factorsOf(userId, tx),
    resetFactors: (tx, userId) => store.deleteFactors(tx, userId),
  };
}
