import { randomFillSync } from 'node:crypto';

// Drawn in one call for many ids: the call costs more than the bytes. Each byte is handed out once.
const pool = Buffer.alloc(8_192);
let used = pool.length;

function random(length: number): Buffer {
  if (length > pool.length) return randomFillSync(Buffer.alloc(length));
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.from(pool.subarray(used, used + length));
  pool.fill(0, used, used + length);
  used += length;
  return bytes;
}

/** A UUID version 7 (RFC 9562 section 5.7): unique, and ordered by the time of its making. */
export function newId(now: number = Date.now()): string {
  const bytes = random(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Random base64url text that holds `bytes` × 8 bits; 256 bits unless told otherwise. */
export function randomToken(bytes = 32): string {
  return random(bytes).toString('base64url');
}

/** Whether text can be an id at all; anything else is absent by definition and never reaches the database. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
