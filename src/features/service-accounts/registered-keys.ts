import { z } from 'zod';
import { check, invalidInput } from '../../kernel/check.ts';
import {
  describeKey,
  type PublicKeySet,
  publicKeySet,
  type RegisteredKeys,
} from '../../platform/crypto/public-key-set.ts';

/** Keys as they are typed in: a JWK Set in one field, or the address where it stands in the other. */
export interface KeysInput {
  /** A JWK Set (RFC 7517), as an object or as JSON text. */
  jwks?: unknown;
  /** Its jwks_uri (RFC 7591 section 2). */
  jwksUri?: string | undefined;
}

const given = z.object({ jwks: publicKeySet });
const address = z.object({
  jwksUri: z
    .string()
    .trim()
    .max(2_000, 'too_long')
    .refine((text) => URL.canParse(text), 'outgoing.url'),
});

const isBlank = (value: unknown) => value === undefined || (typeof value === 'string' && value.trim() === '');

/** `problem`: why nothing can be asked of an address. @throws invalid_input on the fields `jwks` and `jwksUri` */
export function readKeys(input: KeysInput, problem: (url: string) => string | undefined): RegisteredKeys {
  const { jwks, jwksUri } = input;
  if (isBlank(jwksUri)) return check(given, { jwks }).jwks;
  if (!isBlank(jwks)) throw invalidInput({ jwksUri: { code: 'service_accounts.keys_once' } });
  const uri = check(address, { jwksUri }).jwksUri;
  const code = problem(uri);
  if (code !== undefined) throw invalidInput({ jwksUri: { code } });
  return { uri: new URL(uri).href };
}

/** What the audit log keeps of a set. */
export function toldOf({ keys }: PublicKeySet): { kid: string; thumbprint: string }[] {
  return keys.map(describeKey).map(({ kid, thumbprint }) => ({ kid, thumbprint }));
}

/** What the audit log keeps of registered keys. */
export function toldOfKeys(keys: RegisteredKeys): Record<string, unknown> {
  return 'uri' in keys ? { jwksUri: keys.uri } : { keys: toldOf(keys) };
}
