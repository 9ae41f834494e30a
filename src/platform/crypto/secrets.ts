import { randomToken } from '../../kernel/ids.ts';
import { sha256 } from './digest.ts';

export interface ClientSecretMade {
  /** Shown once: `pst_` and 256 random bits as base64url. */
  secret: string;
  /** SHA-256 of the whole secret: what is stored. */
  hash: Buffer<ArrayBuffer>;
  /** The first characters, to tell secrets apart on a page; they give 36 of the 256 bits away. */
  prefix: string;
}

/** A client secret. The fixed prefix lets secret scanners find leaked ones. */
export function generateClientSecret(): ClientSecretMade {
  const secret = `pst_${randomToken(32)}`;
  return { secret, hash: sha256(secret), prefix: secret.slice(0, 10) };
}
