import { randomBytes } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { hmac } from '../../platform/crypto/digest.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { CredentialStore } from './store.ts';

export interface Recovery {
  /** Ten new codes such as `7G2K-Q0MX-93TR-VB5E` (80 bits each), shown once; earlier ones stop working. */
  create(tx: Tx, userId: string): Promise<string[]>;
  /** Each code once: one of many parallel tries wins. Letter case, spaces and dashes don't matter. */
  use(userId: string, code: string): Promise<boolean>;
}

const CODES = 10;
/** 16 characters of 5 bits. */
const CHARACTERS = 16;

/** Crockford's base 32: no I, L, O or U, so that a code on paper can't be misread. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function generate(): string {
  // 256 is a multiple of 32, so the low five bits of a random byte are even.
  const characters = [...randomBytes(CHARACTERS)].map((byte) => ALPHABET[byte & 31]).join('');
  return characters.replace(/(.{4})(?=.)/g, '$1-');
}

function normalize(code: string): string {
  return code.replace(/[\s-]/g, '').toUpperCase().replaceAll('O', '0').replace(/[IL]/g, '1');
}

export function createRecovery(deps: { store: CredentialStore; clock: Clock; key: Uint8Array }): Recovery {
  const { store, clock, key } = deps;
  const digest = (userId: string, code: string) => hmac(key, `${userId}|${normalize(code)}`);

  return {
    async create(tx, userId) {
      const at = clock.now();
      const codes = Array.from({ length: CODES }, generate);
      const rows = codes.map((code) => ({ id: newId(at.getTime()), codeHash: digest(userId, code) }));
      await store.replaceRecoveryCodes(tx, userId, rows, at);
      return codes;
    },

    async use(userId, code) {
      if (normalize(code).length !== CHARACTERS) return false;
      return store.useRecoveryCode(userId, digest(userId, code), clock.now());
    },
  };
}
