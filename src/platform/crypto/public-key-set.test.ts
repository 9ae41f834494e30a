import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { z } from 'zod';
import { check } from '../../kernel/check.ts';
import type { AppError } from '../../kernel/errors.ts';
import { describeKey, publicKeySet, thumbprintOf } from './public-key-set.ts';

const schema = z.object({ jwks: publicKeySet });
const read = (jwks: unknown) => check(schema, { jwks }).jwks.keys;

function problem(jwks: unknown): unknown {
  try {
    read(jwks);
    return 'accepted';
  } catch (error) {
    return (error as AppError).fields?.jwks;
  }
}

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });
const publicOf = (pair: { publicKey: { export(options: { format: 'jwk' }): JsonWebKey } }) =>
  pair.publicKey.export({ format: 'jwk' });

const p256 = ec('P-256');
const jwk = publicOf(p256);
const large = publicOf(rsa(2048));
const edwards = publicOf(generateKeyPairSync('ed25519'));

test('the kinds that are allowed are taken, as text or as an object', () => {
  const keys = [jwk, publicOf(ec('P-384')), large, edwards];
  expect(read({ keys })).toHaveLength(4);
  expect(read(JSON.stringify({ keys }))).toEqual(read({ keys }));
  expect(read({ keys }).map(describeKey)).toMatchObject([
    { kind: 'EC P-256', algorithms: ['ES256'] },
    { kind: 'EC P-384', algorithms: ['ES384'] },
    { kind: 'RSA 2048', algorithms: ['RS256', 'PS256'] },
    { kind: 'Ed25519', algorithms: ['Ed25519', 'EdDSA'] },
  ]);
  expect(read({ keys: [{ ...large, alg: 'PS256' }] }).map(describeKey)).toMatchObject([{ algorithms: ['PS256'] }]);
});

test('the thumbprint is that of RFC 7638, and the kid where none was given', async () => {
  // The example of section 3.1.
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn' +
    'jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM' +
    'QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJz' +
    'KnqDKgw';
  expect(thumbprintOf({ kty: 'RSA', n, e: 'AQAB' })).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  for (const key of read({ keys: [jwk, large, edwards] })) {
    expect(describeKey(key).thumbprint).toBe(await calculateJwkThumbprint({ ...key } as JWK));
    expect(key.kid).toBe(describeKey(key).thumbprint);
  }
});

test('only public members are kept', () => {
  const given = { ...jwk, kid: 'k1', use: 'sig', alg: 'ES256', key_ops: ['verify'], x5c: ['AAAA'], x5u: 'https://x' };
  expect(read({ keys: [{ ...given, nonsense: { deep: [1] } }] })).toEqual([{ ...jwk, kid: 'k1', use: 'sig' }]);
});

test.each<[string, unknown]>([
  ['missing', ' \n'],
  ['not_json', '{keys'],
  ['not_a_set', '[]'],
  ['not_a_set', 'null'],
  ['not_a_set', undefined],
  ['not_a_set', JSON.stringify(jwk)],
  ['not_a_set', { keys: { 0: jwk } }],
  ['not_a_set', { keys: [null] }],
  ['count', { keys: [] }],
  ['count', { keys: Array.from({ length: 11 }, () => jwk) }],
  ['too_long', ' '.repeat(50_001).concat('{}')],
])('%s: what is no set of keys is refused', (code, jwks) => {
  expect(problem(jwks)).toEqual({ code: `key_set.${code}` });
});

const flipped = (text = '') => Buffer.from(text, 'base64url').map((byte) => byte ^ 1);
const point = (key: JsonWebKey) => Buffer.from(flipped(key.y)).toString('base64url');

test.each<[string, JsonWebKey | Record<string, unknown>]>([
  ['private', p256.privateKey.export({ format: 'jwk' })],
  ['private', rsa(2048).privateKey.export({ format: 'jwk' })],
  ['private', { ...jwk, d: '' }],
  ['private', { ...jwk, k: 'AAAA' }],
  ['symmetric', { kty: 'oct', k: Buffer.alloc(32).toString('base64url') }],
  ['kind', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA' }],
  ['kind', { kty: 'xyz' }],
  ['kind', {}],
  ['kind', { kty: 'EC', x: 'AA', y: 'AA' }],
  ['kind', publicOf(ec('P-521'))],
  ['kind', publicOf(ec('secp256k1'))],
  ['kind', publicOf(generateKeyPairSync('x25519'))],
  ['kind', publicOf(generateKeyPairSync('ed448'))],
  ['weak', publicOf(rsa(1024))],
  ['weak', publicOf(rsa(2048, 3))],
  ['weak', { ...large, e: 'AQ' }],
  ['large', { ...large, n: Buffer.alloc(1025, 0xff).toString('base64url') }],
  ['broken', { ...jwk, y: point(jwk) }],
  ['broken', { kty: 'EC', crv: 'P-256', x: jwk.x }],
  ['broken', { ...jwk, x: 7 }],
  ['broken', { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }],
  ['broken', { kty: 'RSA', e: 'AQAB' }],
  ['alg', { ...jwk, alg: 'RS256' }],
  ['alg', { ...jwk, alg: 'none' }],
  ['alg', { ...large, alg: 'HS256' }],
  ['alg', { ...large, alg: 'RS512' }],
  ['alg', { ...jwk, alg: ['ES256'] }],
  ['use', { ...jwk, use: 'enc' }],
  ['use', { ...jwk, key_ops: ['encrypt'] }],
  ['use', { ...jwk, key_ops: 'verify' }],
  ['kid', { ...jwk, kid: '' }],
  ['kid', { ...jwk, kid: 7 }],
  ['kid', { ...jwk, kid: 'a b' }],
  ['kid', { ...jwk, kid: 'x'.repeat(201) }],
])('%s: a key that is not fit is refused, and named by its place', (code, bad) => {
  expect(problem({ keys: [edwards, bad] })).toEqual({ code: `key_set.${code}`, params: { key: 2 } });
});

test('kids and keys stand in a set once', () => {
  const other = publicOf(ec('P-256'));
  const twice = (keys: object[]) => problem({ keys });
  expect(
    twice([
      { ...jwk, kid: 'a' },
      { ...other, kid: 'a' },
    ]),
  ).toEqual({ code: 'key_set.kid_twice', params: { key: 2 } });
  expect(
    twice([
      { ...jwk, kid: 'a' },
      { ...jwk, kid: 'b' },
    ]),
  ).toEqual({ code: 'key_set.key_twice', params: { key: 2 } });
  expect(twice([jwk, { ...other, kid: thumbprintOf(jwk as never) }])).toMatchObject({ code: 'key_set.kid_twice' });
  expect(twice([jwk, other])).toBe('accepted');
});
