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
    hasAdmin(): Promise<boolean>;
    /** True while there is no admin; until the transaction ends nobody else can become one. */
    awaitsFirstAdmin(tx: Tx): Promise<boolean>;
    /** Throws AppError `users.email_taken` with the field `email`. */
    create(tx: Tx, user: { email: string; name: string; status: 'active' }): Promise<{ id: string; email: string }>;
    assignRole(tx: Tx, userId: string, role: string, grantedBy: string): Promise<void>;
  };
  links: {
    peekLink(kind: 'setup', token: string): Promise<object | null>;
    claimLink(tx: Tx, kind: 'setup', token: string): Promise<{ id: string } | null>;
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
