import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { exportJWK } from 'jose';
import type { SigningAlg } from '../../kernel/access-token.ts';
import { randomToken } from '../../kernel/ids.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';

/** A key as its row holds it. */
export interface NewKey {
  kid: string;
  alg: SigningAlg;
  status: 'active' | 'next';
  publicJwk: object;
  /** PKCS#8, sealed. */
  privateEnc: Buffer<ArrayBuffer>;
  createdAt: Date;
  activatedAt: Date | null;
}

const generate = promisify(generateKeyPair);

/** Finding its primes takes a fifth of a second, or a whole one. */
export function isSlowToMake(alg: SigningAlg): boolean {
  return alg === 'RS256' || alg === 'PS256';
}

async function newKeyPair(alg: SigningAlg): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  if (alg === 'ES256') return generate('ec', { namedCurve: 'P-256' });
  if (alg === 'EdDSA') return generate('ed25519');
  return generate('rsa', { modulusLength: 3072 });
}

/** What the private part of a key is bound to when it is sealed. */
export const sealedAs = (kid: string): string => `signing_key|private_enc|${kid}`;

/** A key of its own for each algorithm: RS256 and PS256 never share one (RFC 8725 section 3.1 binds a key to its `alg`). */
export async function makeKey(envelope: Envelope, alg: SigningAlg, status: NewKey['status'], now: Date) {
  const { privateKey, publicKey } = await newKeyPair(alg);
  const kid = randomToken(9);
  const privateEnc = envelope.seal(privateKey.export({ type: 'pkcs8', format: 'der' }), sealedAs(kid));
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  const activatedAt = status === 'active' ? now : null;
  return { kid, alg, status, publicJwk, privateEnc, createdAt: now, activatedAt } satisfies NewKey;
}
