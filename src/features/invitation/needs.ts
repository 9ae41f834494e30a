import type { FieldError } from '../../kernel/errors.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Ctx } from '../../platform/web/context.ts';
import type { Views } from '../../platform/web/views.ts';

export interface Needs {
  db: Database;
  audit: Audit;
  views: Pick<Views, 'render'>;
  accounts: {
    byId(id: string): Promise<{ id: string; email: string; name: string; status: string } | null>;
    /** invited → active; false when the account isn't invited (any more). */
    activate(tx: Tx, id: string): Promise<boolean>;
    rename(tx: Tx, id: string, name: string): Promise<void>;
  };
  links: {
    peekLink(kind: 'invite', token: string): Promise<{ userId: string | null } | null>;
    claimLink(tx: Tx, kind: 'invite', token: string): Promise<{ userId: string | null } | null>;
    /** Takes the person's other open invitations out of use. */
    cancelLinks(tx: Tx, kind: 'invite', userId: string): Promise<number>;
    createLink(tx: Tx, link: { kind: 'ticket'; userId: string; ttlSeconds: number }): Promise<{ token: string }>;
  };
  credentials: {
    checkPasswordPolicy(password: string, context: { email: string; name: string }): FieldError | null;
    hashPassword(password: string): Promise<string>;
    setPassword(tx: Tx, userId: string, hash: string): Promise<void>;
  };
  /** Carries the password that was just proven into the sign-in. */
  ticket: { issue(ctx: Ctx, token: string): void; seconds: number };
  /** The address that begins a sign-in which ends at `path`. */
  startSignIn(path: string): string;
}
