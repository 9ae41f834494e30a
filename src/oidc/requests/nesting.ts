import { errors } from 'oidc-provider';
import { isDeeperThan } from '../../kernel/detail-schema.ts';

/** Levels of JSON: of what a request may hold, details (RFC 9396) are the deepest, with half of them. */
const DEEPEST = 20;

/**
 * The library takes a JWT apart, copies it and writes it as text before it verifies the signature: one that is nested a
 * few thousand levels deep ends in an exhausted stack, whoever sends it.
 * @throws InvalidRequestObject, InvalidClientAuth
 */
export function assertFlat(params: Record<string, unknown> | undefined): void {
  if (isNested(params?.request)) throw new errors.InvalidRequestObject('Request Object is nested too deeply');
  if (isNested(params?.client_assertion)) throw new errors.InvalidClientAuth('client_assertion is nested too deeply');
}

function isNested(jwt: unknown): boolean {
  if (typeof jwt !== 'string') return false;
  return jwt
    .split('.', 2)
    .some((part) => isDeeperThan(parse(Buffer.from(part, 'base64url').toString('utf8')), DEEPEST));
}

/** Undefined for what is no JSON: the library refuses it. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
