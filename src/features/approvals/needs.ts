import type { Clock } from '../../kernel/clock.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Guard } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';

/** What an application asks a person for who is somewhere else (OpenID Connect CIBA). */
export interface Approval {
  id: string;
  client: { id: string; name: string };
  /** Stands on both devices, so that a person can tell their own request from somebody else's. */
  bindingMessage: string | undefined;
  /** Of the machine that asked. */
  address: string;
  createdAt: Date;
  expiresAt: Date;
  /** OpenID Connect scopes. */
  scopes: string[];
  permissions: { audience: string; apiName: string; permissions: { name: string; description: string }[] }[];
  details: { description: string; apiName: string; fields: { label: string; value: string | number | boolean }[] }[];
  rawDetails: object[];
}

export interface Needs<P extends { approval: Approval }> {
  db: Database;
  clock: Clock;
  audit: Audit;
  views: Views;
  /** `person` signs in; `fresh`, after it, asks for a second factor that is older than five minutes again. */
  guards: { person: Guard; fresh: Guard };
  approvals: {
    /** Open ones, oldest first. */
    list(userId: string): Promise<Approval[]>;
    find(userId: string, id: string): Promise<Approval | undefined>;
    prepare(userId: string, id: string): Promise<P | undefined>;
    /** False where it was decided, or ended, before. */
    allow(
      tx: Tx,
      userId: string,
      prepared: P,
      signIn: { sessionUid: string; acr: string; authTime: Date },
    ): Promise<boolean>;
    deny(tx: Tx, userId: string, id: string): Promise<boolean>;
  };
  /** What was allowed is remembered as on the consent page: withdrawing it there ends these tokens, too. */
  consents: { add(tx: Tx, userId: string, clientId: string, scopes: string[], at: Date): Promise<void> };
}
