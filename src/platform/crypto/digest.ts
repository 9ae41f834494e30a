import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';

/** By way of its hex text: a digest that comes as bytes has memory of its own, which costs three times the digest. */
export function sha256(value: string | Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.from(hash('sha256', value, 'hex'), 'hex');
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
  return Buffer.from(createHmac('sha256', keyObjectOf(key)).update(value).digest('hex'), 'hex');
}

/** Compares in constant time; values of different lengths are unequal (lengths are no secret here). */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
