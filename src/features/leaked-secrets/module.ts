import { after, type Clock } from '../../kernel/clock.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { changeEvent } from '../../platform/audit/change.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import { isClientSecret } from '../../platform/crypto/secrets.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { CLIENT_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import { createLeakMail, type LeakMailNeeds } from './mail.ts';
import * as store from './store.ts';

/** Client secrets that somebody found where none belongs: whoever has one may have it retired. */
export interface LeakedSecrets {
  /**
   * Ends the secret, and every token of its client, at once. Says nothing of whether there is such a secret.
   * `url`: the http or https address where it was found.
   */
  report(input: { secret: string; url?: string | undefined }, request: RequestInfo): Promise<void>;
  /** The newest report of the last 90 days that ended a secret of this client. */
  lastOf(clientId: string): Promise<store.LeakView | null>;
}

export interface Needs extends LeakMailNeeds {
  db: Database;
  audit: Audit;
  clock: Clock;
  /** Ends every token of the client. */
  revokeTokens(tx: Tx, clientId: string): Promise<number>;
}

const SHOWN_SECONDS = 90 * 86_400;
const MAX_URL = 500;
/** A secret that stands in the address is not written down again. */
const SECRETS = /pst_[\w-]{20,}/g;

export function createLeakedSecrets(needs: Needs): LeakedSecrets {
  const { db, audit, clock, revokeTokens } = needs;
  const mail = createLeakMail(needs);

  return {
    lastOf: (clientId) => store.lastLeak(db.prisma, clientId, after(clock, -SHOWN_SECONDS)),

    async report({ secret, url }, request) {
      // Whoever tries texts out costs no statement.
      if (!isClientSecret(secret)) return;
      const found = url === undefined ? undefined : presentable(url);
      const leak = await db.tx(async (tx) => {
        const retired = await store.retireSecret(tx, sha256(secret), clock.now());
        if (!retired) return undefined;
        const { owner, prefix } = retired;
        const revokedTokens = await revokeTokens(tx, owner.clientId);
        await notifyOnCommit(tx, CLIENT_CHANGED, owner.clientId);
        await audit.in(
          tx,
          changeEvent(
            { by: { type: 'anonymous' }, request },
            {
              action: 'client.secret_leaked',
              target: owner.serviceAccountId
                ? { type: 'service_account', id: owner.serviceAccountId, name: owner.name }
                : { type: 'client', id: owner.clientId, name: owner.name },
              clientId: owner.clientId,
              data: { secretPrefix: prefix, revokedTokens, ...(found === undefined ? {} : { url: found }) },
            },
          ),
        );
        return { owner, prefix, url: found };
      });
      // Not awaited: how long the answer takes must not depend on a mail server.
      if (leak) void mail.tell(leak);
    },
  };
}

/** Without user, password and secrets, and of bounded length. */
function presentable(text: string): string {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.href.replace(SECRETS, '[secret]').slice(0, MAX_URL);
}
