import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Views } from '../../platform/web/views.ts';

/** One thing to allow in detail, such as one payment. */
export interface AskedDetail {
  description: string;
  apiName: string;
  fields: { label: string; value: string | number | boolean }[];
}

/** What an application asks a signed-in person for. */
export interface Interaction {
  uid: string;
  prompt: 'login' | 'consent';
  client: { id: string; name: string; type: string };
  accountId: string | undefined;
  /** OpenID Connect scopes that were not allowed yet. */
  missingScopes: string[];
  /** API permissions that were not allowed yet. */
  missingPermissions: {
    audience: string;
    apiName: string;
    permissions: { name: string; description: string }[];
  }[];
  /** Authorization details (RFC 9396) in words; these are asked about each time. */
  details: AskedDetail[];
  /** The same as they were requested. */
  rawDetails: object[];
  /** Where the answer goes. */
  redirectHost: string;
}

export interface Needs<I extends Interaction = Interaction> {
  db: Database;
  clock: Clock;
  audit: Audit;
  views: Pick<Views, 'render'>;
  accounts: { byId(id: string): Promise<{ id: string; email: string; name: string } | null> };
  interactions: {
    /** Throws AppError `interaction.expired` when the browser holds no live interaction. */
    current(ctx: Ctx): Promise<I>;
    /** Grants what was asked for. */
    finishConsent(ctx: Ctx, interaction: I): Promise<void>;
    abort(ctx: Ctx, interaction: I, error: 'access_denied'): Promise<void>;
  };
}
