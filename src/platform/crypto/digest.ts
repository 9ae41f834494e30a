import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

export function sha256(value: string | Uint8Array): Buffer<ArrayBuffer> {
  return createHash('sha256').update(value).digest();
}

/** The few keys of an installation. Of one that comes as bytes Node first finds out, by an error, that it is no object. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObjectOf(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key) ?? createSecretKey(key);
  keyObjects.set(key, known);
  return known;
}

/** HMAC-SHA-256. `key` is not changed later: it is prepared once. */
export function hmac(key: Uint8Array, value: string): Buffer<ArrayBuffer> {
  return createHmac('sha256', keyObjectOf(key)).update(value).digest();
}

/** Compares in constant time; values of different lengths are unequal (lengths are no secret here). */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
