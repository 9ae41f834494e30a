import { expect, test } from '@jest/globals';
import { equal, sha256 } from './digest.ts';
import { generateClientSecret, isClientSecret } from './secrets.ts';

test('S42 a client secret holds 256 random bits, and its digest is kept', () => {
  const made = Array.from({ length: 200 }, generateClientSecret);
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(200);
  for (const { secret, hash, prefix } of made) {
    expect(secret).toMatch(/^pst_[A-Za-z0-9_-]{43}[A-Za-z0-9]{6}$/);
    expect(Buffer.from(secret.slice(4, 47), 'base64url')).toHaveLength(32);
    expect(hash).toEqual(sha256(secret));
    expect(secret.startsWith(prefix)).toBe(true);
    expect(prefix.length).toBeLessThanOrEqual(10);
  }
});

test('S42 a secret is told from a look-alike by its checksum, without asking anybody', () => {
  for (const { secret } of Array.from({ length: 200 }, generateClientSecret)) {
    expect(isClientSecret(secret)).toBe(true);
    // CRC-32 finds every change within 32 bits in a row, so any single letter.
    for (let at = 0; at < secret.length; at += 7) {
      const other = secret[at] === 'A' ? 'B' : 'A';
      expect(isClientSecret(`${secret.slice(0, at)}${other}${secret.slice(at + 1)}`)).toBe(false);
    }
  }
  // By another implementation: CRC-32 of the first 47 characters is 0x615fda99.
  expect(isClientSecret(`pst_${'A'.repeat(43)}1mYifh`)).toBe(true);
});

test('a secret from before there were checksums counts as one; other texts do not', () => {
  expect(isClientSecret(`pst_${'a-_9'.repeat(10)}abc`)).toBe(true);
  for (const text of [
    '',
    'pst_',
    'pst_abc',
    `pst_${'a'.repeat(42)}`,
    `pst_${'a'.repeat(44)}`,
    `pst_${'ä'.repeat(43)}`,
  ]) {
    expect(isClientSecret(text)).toBe(false);
  }
  const { secret } = generateClientSecret();
  for (const text of [` ${secret}`, `${secret}\n`, `${secret}0`, secret.toUpperCase(), secret.slice(0, -1)]) {
    expect(isClientSecret(text)).toBe(false);
  }
});

test('digests of different lengths are unequal and do not throw', () => {
  expect(equal(sha256('a'), sha256('a'))).toBe(true);
  expect(equal(sha256('a'), sha256('b'))).toBe(false);
  expect(equal(sha256('a'), Buffer.alloc(0))).toBe(false);
});
