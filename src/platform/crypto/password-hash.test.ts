import { describe, expect, test } from '@jest/globals';
import { argon2id, hash as argonHash } from 'argon2';
import { createPasswordHasher } from './password-hash.ts';

const pepper = { id: 'p1', key: Buffer.alloc(32, 1) };

describe('password hasher', () => {
  test('writes argon2id with at least the parameters that are asked for', async () => {
    const hash = await createPasswordHasher({ pepper }).hash('wrong horse gravel');
    const [, kind, version, parameters = '', salt = '', tag = ''] = hash.split('$');
    expect([kind, version]).toEqual(['argon2id', 'v=19']);
    expect(Object.fromEntries(parameters.split(',').map((part) => part.split('=')))).toEqual({
      m: '19456',
      t: '2',
      p: '1',
    });
    expect(Buffer.from(salt, 'base64')).toHaveLength(16);
    expect(Buffer.from(tag, 'base64')).toHaveLength(32);
  });

  test('verifies only the password, and only with the pepper', async () => {
    const hasher = createPasswordHasher({ pepper });
    const hash = await hasher.hash('wrong horse gravel');
    expect(await hasher.verify(hash, 'wrong horse gravel')).toEqual({ ok: true, rehash: false });
    expect(await hasher.verify(hash, 'wrong horse grave')).toEqual({ ok: false, rehash: false });
    const other = createPasswordHasher({ pepper: { id: 'p2', key: Buffer.alloc(32, 2) } });
    expect(await other.verify(hash, 'wrong horse gravel')).toEqual({ ok: false, rehash: false });
  });

  test('S57 long passwords count to their last character', async () => {
    const hasher = createPasswordHasher({ pepper });
    const long = 'x'.repeat(1023);
    const hash = await hasher.hash(`${long}a`);
    expect((await hasher.verify(hash, `${long}b`)).ok).toBe(false);
    expect((await hasher.verify(hash, `${long}a`)).ok).toBe(true);
  });

  test('takes the same text from keyboards that compose it differently', async () => {
    const hasher = createPasswordHasher({ pepper });
    const hash = await hasher.hash('gr\u00e4serner pfad');
    expect((await hasher.verify(hash, 'gra\u0308serner pfad')).ok).toBe(true);
  });

  test('asks for a new hash where the old one is weaker', async () => {
    const weak = await argonHash('pw', {
      type: argon2id,
      memoryCost: 8192,
      timeCost: 1,
      parallelism: 1,
      secret: pepper.key,
    });
    expect(await createPasswordHasher({ pepper }).verify(weak, 'pw')).toEqual({ ok: true, rehash: true });
    expect(await createPasswordHasher({ pepper }).verify(weak, 'no')).toEqual({ ok: false, rehash: false });
  });

  test('sheds with 503 when the queue is full, and serves those that waited', async () => {
    const hasher = createPasswordHasher({ pepper, concurrency: 1, maxQueue: 2 });
    const served = [hasher.burn(), hasher.burn(), hasher.burn()];
    expect(hasher.queued()).toBe(3);
    await expect(hasher.burn()).rejects.toMatchObject({ code: 'busy', status: 503, retryAfter: 2 });
    await expect(hasher.hash('x')).rejects.toMatchObject({ code: 'busy' });
    await Promise.all(served);
    expect(hasher.queued()).toBe(0);
    await hasher.burn();
  });

  test('a job that fails gives its place to the next', async () => {
    const hasher = createPasswordHasher({ pepper, concurrency: 1, maxQueue: 4 });
    const results = await Promise.allSettled([hasher.verify('not a hash', 'x'), hasher.burn()]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
    expect(hasher.queued()).toBe(0);
  });
});
