import type { SigningAlg } from '../../kernel/access-token.ts';
import { check } from '../../kernel/check.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import { leakedForm } from './schema.ts';

/** `status`: as in src/oidc/signing-keys.ts. Never the private part. */
export interface KeyView {
  kid: string;
  alg: string;
  status: 'next' | 'active' | 'retiring' | 'retired' | 'revoked';
  createdAt: Date;
  activatedAt: Date | null;
  /** Published until then; for one that is published no more, since then. */
  retiresAt: Date | null;
}

export interface LeakedKey {
  kid: string;
  alg: string;
  was: 'next' | 'active' | 'retiring';
  successor: string | undefined;
  /** Access tokens that ended with it. */
  tokens: number;
}

/** The keys that sign, for admins to see, to rotate and to take away. */
export interface SigningKeyAdmin {
  list(): Promise<KeyView[]>;
  /** @throws signing_keys.too_soon, with the seconds to wait in retryAfter */
  rotate(origin: ChangeBy, alg?: SigningAlg): Promise<KeyView[]>;
  /** @throws invalid_input, signing_keys.not_found, signing_keys.ended */
  revoke(origin: ChangeBy, leaked: { kid: string; reason: string }): Promise<LeakedKey>;
  /** Access tokens signed by it that are good now. */
  countSigned(kid: string): Promise<number>;
}

/** `keys`: what makes and keeps them. */
export function createSigningKeyAdmin(keys: SigningKeyAdmin): SigningKeyAdmin {
  return {
    list: keys.list,
    rotate: keys.rotate,
    countSigned: keys.countSigned,
    revoke: async (origin, { kid, reason }) => keys.revoke(origin, { kid, ...check(leakedForm, { reason }) }),
  };
}
