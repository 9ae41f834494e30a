import { createHmac, KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, importJWK } from 'jose';
import {
  assertion,
  createSigner,
  expectInvalidClient,
  handmade,
  pairOf,
  type Signer,
  sendAssertion,
} from '../support/assertions.ts';
import { createApi } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';

let postern: Postern;
let signer: Signer;

beforeAll(async () => {
  postern = await startPostern();
  signer = await createSigner(postern, `${await createApi(postern, ['read'])}#read`);
});
afterAll(() => postern.close());

const send = (text: string) => sendAssertion(postern.url, text);

describe('S40 the signature and the header of an assertion', () => {
  test('a wrong key, a wrong key id, and a flipped signature are refused', async () => {
    const { privateKey } = await pairOf('ES256');
    expectInvalidClient(await send(await assertion({ ...signer, privateKey })));
    expectInvalidClient(await send(await assertion({ ...signer, privateKey }, {}, { kid: undefined })));
    expectInvalidClient(await send(await assertion(signer, {}, { kid: 'k2' })));
    const [header, claims, signature = ''] = (await assertion(signer)).split('.');
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    for (const wrong of [flipped, '', 'AAAA', signature.slice(0, -4)]) {
      expectInvalidClient(await send(`${header}.${claims}.${wrong}`));
    }
  });

  test("the server's own key, and a token that it signed, are no assertion (S39)", async () => {
    const { body } = await send(await assertion(signer));
    expectInvalidClient(await send(String(body.access_token)));
  });

  test('alg none, in every spelling, is refused', async () => {
    for (const alg of ['none', 'None', 'NONE', '', 'nOnE']) {
      const [head, claims] = handmade(signer, { alg, kid: 'k1' }).split('.');
      expectInvalidClient(await send(`${head}.${claims}.`));
      expectInvalidClient(await send(handmade(signer, { alg, kid: 'k1' })));
    }
    expectInvalidClient(await send(handmade(signer, { kid: 'k1' })));
  });

  test.each(['HS256', 'HS384', 'HS512'])('%s with the public key as the secret is refused', async (alg) => {
    const key = (await importJWK(signer.jwk, 'ES256', { extractable: true })) as CryptoKey;
    const object = KeyObject.from(key);
    const spellings = [
      object.export({ format: 'pem', type: 'spki' }),
      object.export({ format: 'der', type: 'spki' }),
      JSON.stringify(signer.jwk),
      JSON.stringify({ keys: [signer.jwk] }),
      Buffer.from(String(signer.jwk.x), 'base64url'),
      '',
    ];
    for (const secret of spellings) {
      const [head, claims] = handmade(signer, { alg, kid: 'k1' }).split('.');
      const hash = createHmac(`sha${alg.slice(2)}`, secret).update(`${head}.${claims}`);
      expectInvalidClient(await send(`${head}.${claims}.${hash.digest('base64url')}`));
    }
  });

  test.each(['RS256', 'ES384', 'ES512', 'EdDSA', 'ES256K', 'RS1', 'ML-DSA-44'])(
    'an alg that is not that of the key, %s, is refused',
    async (alg) => expectInvalidClient(await send(handmade(signer, { alg, kid: 'k1' }))),
  );

  test.each<[string, object]>([
    ['jwk', { jwk: { kty: 'EC' } }],
    ['jku', { jku: 'https://attacker.example/jwks' }],
    ['x5u', { x5u: 'https://attacker.example/cert' }],
    ['x5c', { x5c: ['AAAA'] }],
    ['crit of something unknown', { crit: ['pop'], pop: 1 }],
    ['crit of nothing', { crit: [] }],
    ['crit of something known', { crit: ['exp'], exp: 1 }],
    ['b64', { b64: false, crit: ['b64'] }],
    ['zip', { zip: 'DEF' }],
  ])('a genuine signature under a header with %s is refused', async (_name, extra) => {
    expect((await send(handmade(signer, { alg: 'ES256', kid: 'k1' }))).status).toBe(200);
    expectInvalidClient(await send(handmade(signer, { alg: 'ES256', kid: 'k1', ...extra })));
  });

  test('a key that the header brings along is not used', async () => {
    const { privateKey, jwk } = await pairOf('ES256');
    for (const header of [{ jwk }, { jwk, kid: undefined }, { jwk: signer.jwk }]) {
      expectInvalidClient(await send(handmade({ ...signer, privateKey }, { alg: 'ES256', kid: 'k1', ...header })));
    }
  });

  test('the type is that of an assertion, or of any JWT, or left out (S39)', async () => {
    const typed = (typ: unknown) => send(handmade(signer, { alg: 'ES256', kid: 'k1', typ }));
    for (const typ of ['JWT', 'jwt', 'client-authentication+jwt', 'application/client-authentication+jwt']) {
      expect((await typed(typ)).status).toBe(200);
    }
    for (const typ of ['at+jwt', 'dpop+jwt', 'logout+jwt', 'oauth-authz-req+jwt', '', 7, null, ['JWT']]) {
      expectInvalidClient(await typed(typ));
    }
  });

  test('S92 what is no JWT at all is refused without a fault', async () => {
    const broken = ['x', '..', 'a.b.c', 'e30.e30.', 'e30.e30.AA', 'null', `${'A'.repeat(40_000)}.e30.AA`, 'W10.W10.AA'];
    for (const text of [...broken, 'bnVsbA.bnVsbA.AA', `${await assertion(signer)}.x.y`]) {
      const { status, body } = await send(text);
      expect({ text: text.slice(0, 20), ok: [400, 401].includes(status), token: body.access_token }).toEqual({
        text: text.slice(0, 20),
        ok: true,
        token: undefined,
      });
    }
  });
});
