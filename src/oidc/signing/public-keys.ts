import type { JWK } from 'jose';

const PRIVATE_PARTS = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'key_ops']);

/** What of a signing key everybody may know. */
export function publicOnly(jwk: JWK): JWK {
  const kept = Object.entries(jwk).filter(([name]) => !PRIVATE_PARTS.has(name));
  return { ...Object.fromEntries(kept), use: 'sig' } as JWK;
}
