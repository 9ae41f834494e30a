import { expect, test } from '@jest/globals';
import { equal, sha256 } from './digest.ts';
import { generateClientSecret } from './secrets.ts';

test('S42 a client secret holds 256 random bits, and its digest is kept', () => {
  const made = Array.from({ length: 200 }, generateClientSecret);
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(200);
  for (const { secret, hash, prefix } of made) {
    expect(secret).toMatch(/^pst_[\w-]{43}$/);
    expect(Buffer.from(secret.slice(4), 'base64url')).toHaveLength(32);
    expect(hash).toEqual(sha256(secret));
    expect(secret.startsWith(prefix)).toBe(true);
    expect(prefix.length).toBeLessThanOrEqual(10);
  }
});

test('digests of different lengths are unequal and do not throw', () => {
  expect(equal(sha256('a'), sha256('a'))).toBe(true);
  expect(equal(sha256('a'), sha256('b'))).toBe(false);
  expect(equal(sha256('a'), Buffer.alloc(0))).toBe(false);
});
