import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database } from '../../platform/db/database.ts';
import { ownerNotFound } from './errors.ts';
import * as store from './revocation-store.ts';

export type { Whose } from './revocation-store.ts';

export interface Revocation {
  /** Who is meant, and how many tokens are good now. @throws tokens.owner_not_found */
  revocable(whose: store.Whose): Promise<{ owner: store.Owner; active: number }>;
  /**
   * Ends every token that was issued before, with one event. Of a client or a person their codes, grants and refresh
   * tokens end, too; of an API its access tokens alone. Answers how many tokens ended. @throws tokens.owner_not_found
   */
  revokeAll(whose: store.Whose, origin: ChangeBy): Promise<{ owner: store.Owner; tokens: number }>;
}

export function createRevocation({ db, audit, clock }: { db: Database; audit: Audit; clock: Clock }): Revocation {
  return {
    async revocable(whose) {
      const owner = await store.findOwner(db.prisma, whose);
      if (!owner) throw ownerNotFound();
      return { owner, active: await store.countActive(db.prisma, owner, clock.now()) };
    },

    revokeAll: (whose, origin) =>
      db.tx(async (tx) => {
        const owner = await store.findOwner(tx, whose);
        if (!owner) throw ownerNotFound();
        const tokens = await store.revokeAll(tx, owner, clock.now());
        const event = {
          action: 'token.revoke_all',
          target: owner,
          ...(owner.type === 'client' && { clientId: owner.id }),
          data: { tokens, ...(owner.type === 'api' && { audience: owner.id }) },
        };
        await audit.in(tx, changeEvent(origin, event));
        return { owner, tokens };
      }),
  };
}
