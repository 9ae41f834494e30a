import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '../../kernel/errors.ts';

export interface Envelope {
  /** Encrypts. `aad` binds the result to its place: `table|column|row id`. */
  seal(plain: Uint8Array, aad: string): Buffer<ArrayBuffer>;
  /** Decrypts, or throws AppError `crypto.unreadable`: another key, another place, or changed bytes. */
  open(sealed: Uint8Array, aad: string): Buffer<ArrayBuffer>;
  /** Names the key-encryption key that new values are sealed with (16 hex digits). */
  keyId: string;
}

/*
 * version(1) | key id(8) | wrap iv(12) | wrapped data key(32) | wrap tag(16) | iv(12) | tag(16) | ciphertext
 * All that stands before a ciphertext is authenticated with it, so a header can't be moved to another value.
 */
const VERSION = 1;
const KEY_ID = 8;
const IV = 12;
const KEY = 32;
const TAG = 16;
const WRAP_IV_AT = 1 + KEY_ID;
const WRAPPED_AT = WRAP_IV_AT + IV;
const WRAP_TAG_AT = WRAPPED_AT + KEY;
const IV_AT = WRAP_TAG_AT + TAG;
const TAG_AT = IV_AT + IV;
const BODY_AT = TAG_AT + TAG;

function derive(masterKey: Uint8Array, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, new Uint8Array(0), purpose, bytes));
}

function encrypt(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, plain: Uint8Array): { body: Buffer; tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG });
  cipher.setAAD(aad);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { body, tag: cipher.getAuthTag() };
}

function decrypt(
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  body: Uint8Array,
  tag: Uint8Array,
): Buffer<ArrayBuffer> {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(body), decipher.final()]);
}

function unreadable(detail: string, cause?: unknown): AppError {
  return new AppError('crypto.unreadable', { status: 500, detail, cause });
}

/**
 * Envelope encryption: each value has a data key of its own (AES-256-GCM, random 96-bit IV), which is wrapped by the
 * key-encryption key that `masterKey` (32 bytes) stands for. Changing the master key rewraps data keys only.
 */
export function createEnvelope(masterKey: Uint8Array): Envelope {
  if (masterKey.length !== KEY) throw new AppError('config.invalid', { detail: 'the master key must hold 32 bytes' });
  const wrappingKey = derive(masterKey, 'postern/envelope/key-encryption-key', KEY);
  const keyId = derive(masterKey, 'postern/envelope/key-id', KEY_ID);

  return {
    keyId: keyId.toString('hex'),

    seal(plain, aad) {
      const place = Buffer.from(aad, 'utf8');
      const dataKey = randomBytes(KEY);
      const head = Buffer.concat([Buffer.of(VERSION), keyId, randomBytes(IV)]);
      const wrapped = encrypt(wrappingKey, head.subarray(WRAP_IV_AT), Buffer.concat([head, place]), dataKey);
      const iv = randomBytes(IV);
      const bound = Buffer.concat([head, wrapped.body, wrapped.tag, iv]);
      const sealed = encrypt(dataKey, iv, Buffer.concat([bound, place]), plain);
      dataKey.fill(0);
      return Buffer.concat([bound, sealed.tag, sealed.body]);
    },

    open(value, aad) {
      const sealed = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (sealed.length < BODY_AT || sealed[0] !== VERSION) throw unreadable('not a sealed value of a known version');
      if (!sealed.subarray(1, WRAP_IV_AT).equals(keyId)) throw unreadable('sealed with another master key');
      const place = Buffer.from(aad, 'utf8');
      try {
        const dataKey = decrypt(
          wrappingKey,
          sealed.subarray(WRAP_IV_AT, WRAPPED_AT),
          Buffer.concat([sealed.subarray(0, WRAPPED_AT), place]),
          sealed.subarray(WRAPPED_AT, WRAP_TAG_AT),
          sealed.subarray(WRAP_TAG_AT, IV_AT),
        );
        return decrypt(
          dataKey,
          sealed.subarray(IV_AT, TAG_AT),
          Buffer.concat([sealed.subarray(0, TAG_AT), place]),
          sealed.subarray(BODY_AT),
          sealed.subarray(TAG_AT, BODY_AT),
        );
      } catch (cause) {
        throw unreadable(`can't be opened as ${aad}`, cause);
      }
    },
  };
}
