import { crc32 } from 'node:zlib';
import { randomToken } from '../../kernel/ids.ts';
import { sha256 } from './digest.ts';

export interface ClientSecretMade {
  /** Shown once: `pst_`, 256 random bits as base64url, six characters of checksum. */
  secret: string;
  /** SHA-256 of the whole secret: what is stored. */
  hash: Buffer<ArrayBuffer>;
  /** The first characters, to tell secrets apart on a page; they give 36 of the 256 bits away. */
  prefix: string;
}

/** As docs/guides/services.md publishes it for scanners. */
const FORM = /^(pst_[A-Za-z0-9_-]{43})([A-Za-z0-9]{6})?$/;

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A client secret. The fixed prefix lets secret scanners find leaked ones, and the checksum lets them tell a secret from
 * a look-alike without asking anybody.
 */
export function generateClientSecret(): ClientSecretMade {
  const body = `pst_${randomToken(32)}`;
  const secret = `${body}${checksum(body)}`;
  return { secret, hash: sha256(secret), prefix: secret.slice(0, 10) };
}

/**
 * Whether a text can be a secret that was generated here. One of those made before there were checksums has none; where
 * there is one it must be right.
 */
export function isClientSecret(text: string): boolean {
  const [, body = '', given] = FORM.exec(text) ?? [];
  return body !== '' && (given === undefined || given === checksum(body));
}

/** CRC-32 (ISO 3309) of the text as six digits to the base of 62, most significant first. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let i = 0; i < 6; i++) {
    digits = `${BASE62[rest % 62]}${digits}`;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
