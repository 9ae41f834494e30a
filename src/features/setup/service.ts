import { AppError, type FieldError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Needs } from './needs.ts';

/** `gone`: there is an admin. `invalid`: the link is unknown, used or too old. */
export type SetupState = 'open' | 'gone' | 'invalid';

export interface SetupService {
  state(token: string): Promise<SetupState>;
  /** Throws AppError with `fields` for input that the person can mend. */
  complete(
    token: string,
    person: { email: string; name: string; password: string },
    request: RequestInfo,
  ): Promise<{ ticket: string } | Exclude<SetupState, 'open'>>;
}

const adminRole = 'admin';

export function createSetupService({ db, audit, accounts, links, credentials, ticket }: Needs): SetupService {
  async function state(token: string): Promise<SetupState> {
    if (await accounts.hasAdmin()) return 'gone';
    return (await links.peekLink('setup', token)) === null ? 'invalid' : 'open';
  }

  return {
    state,

    async complete(token, { email, name, password }, request) {
      const before = await state(token);
      if (before !== 'open') return before;
      refuse(credentials.checkPasswordPolicy(password, { email, name }));
      // Hashing takes its time: before the transaction, so that no connection is held meanwhile.
      const hash = await credentials.hashPassword(password);
      return db.tx(async (tx) => {
        // Of everybody who holds the link, and of every process, one becomes the first admin.
        if (!(await accounts.awaitsFirstAdmin(tx))) return 'gone';
        if ((await links.claimLink(tx, 'setup', token)) === null) return 'invalid';
        const admin = await accounts.create(tx, { email, name, status: 'active' });
        await credentials.setPassword(tx, admin.id, hash);
        await accounts.assignRole(tx, admin.id, adminRole, 'setup');
        const made = await links.createLink(tx, { kind: 'ticket', userId: admin.id, ttlSeconds: ticket.seconds });
        const user = { type: 'user' as const, id: admin.id, name: admin.email };
        await audit.in(tx, { action: 'setup.complete', outcome: 'success', actor: user, target: user, request });
        return { ticket: made.token };
      });
    },
  };
}

function refuse(error: FieldError | null): void {
  if (error !== null) throw new AppError('invalid_input', { status: 422, fields: { password: error } });
}
