import { describe, expect, test } from '@jest/globals';
import { createEnvelope } from './envelope.ts';

const envelope = createEnvelope(Buffer.alloc(32, 7));
const plain = Buffer.from('a TOTP seed');
const aad = 'totp_factor|secret_enc|0193';
const unreadable = expect.objectContaining({ code: 'crypto.unreadable' });

describe('envelope', () => {
  test('opens what it sealed, in its place', () => {
    expect(envelope.open(envelope.seal(plain, aad), aad)).toEqual(plain);
    expect(envelope.open(envelope.seal(Buffer.alloc(0), aad), aad)).toHaveLength(0);
  });

  test('reads what the database hands over as plain bytes', () => {
    const stored = new Uint8Array(envelope.seal(plain, aad));
    expect(envelope.open(stored, aad).toString()).toBe('a TOTP seed');
  });

  test('never seals to the same bytes twice', () => {
    const sealed = Array.from({ length: 50 }, () => envelope.seal(plain, aad).toString('hex'));
    expect(new Set(sealed).size).toBe(50);
    // Wrapping iv and value iv are random on their own: bytes 9–20 and 69–80.
    expect(new Set(sealed.map((hex) => hex.slice(18, 42))).size).toBe(50);
    expect(new Set(sealed.map((hex) => hex.slice(138, 162))).size).toBe(50);
  });

  test('names its key in the header', () => {
    expect(envelope.seal(plain, aad).subarray(1, 9).toString('hex')).toBe(envelope.keyId);
    expect(createEnvelope(Buffer.alloc(32, 8)).keyId).not.toBe(envelope.keyId);
  });

  test('refuses any flipped byte', () => {
    const sealed = envelope.seal(plain, aad);
    for (let index = 0; index < sealed.length; index++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(() => envelope.open(changed, aad)).toThrow(unreadable);
    }
  });

  test('refuses a cut or lengthened value', () => {
    const sealed = envelope.seal(plain, aad);
    for (const changed of [
      sealed.subarray(0, -1),
      sealed.subarray(0, 40),
      Buffer.alloc(0),
      Buffer.concat([sealed, Buffer.of(0)]),
    ]) {
      expect(() => envelope.open(changed, aad)).toThrow(unreadable);
    }
  });

  test.each(['totp_factor|secret_enc|0194', 'setting|value_enc|0193', ''])('refuses another place: %s', (place) => {
    expect(() => envelope.open(envelope.seal(plain, aad), place)).toThrow(unreadable);
  });

  test('refuses another master key, also where the header names it', () => {
    const other = createEnvelope(Buffer.alloc(32, 8));
    const sealed = envelope.seal(plain, aad);
    expect(() => other.open(sealed, aad)).toThrow(unreadable);
    Buffer.from(other.keyId, 'hex').copy(sealed, 1);
    expect(() => other.open(sealed, aad)).toThrow(unreadable);
  });

  test('wants 32 bytes of master key', () => {
    expect(() => createEnvelope(Buffer.alloc(31))).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });
});
