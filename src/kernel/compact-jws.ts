const COMPACT = /^[\w-]+\.[\w-]+\.([\w-]+)$/;

/**
 * Whether `text` is written as a JWS in compact form has to be (RFC 7515 sections 2 and 7.1): base64url without padding,
 * white space or any other character. Decoders are more lenient, so that one signed token could be written in many ways.
 * Header and claims are signed as they are written; of the signature the bits that its last character does not need
 * have to be zero (RFC 4648 section 3.5).
 */
export function isCompactJws(text: string): boolean {
  const signature = COMPACT.exec(text)?.[1];
  return signature !== undefined && Buffer.from(signature, 'base64url').toString('base64url') === signature;
}
