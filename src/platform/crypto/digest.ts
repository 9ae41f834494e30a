import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export function sha256(value: string | Uint8Array): Buffer<ArrayBuffer> {
  return createHash('sha256').update(value).digest();
}

/** HMAC-SHA-256. */
export function hmac(key: Uint8Array, value: string): Buffer<ArrayBuffer> {
  return createHmac('sha256', key).update(value).digest();
}

/** Compares in constant time; values of different lengths are unequal (lengths are no secret here). */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
