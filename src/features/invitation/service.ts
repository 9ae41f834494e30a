import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Needs } from './needs.ts';

export interface Invited {
  id: string;
  email: string;
  name: string;
}

export interface InvitationService {
  /** Whose invitation this is; null when it is unknown, used, too old or taken back. */
  invited(token: string): Promise<Invited | null>;
  /** Throws AppError with `fields` for input that the person can mend. */
  accept(
    token: string,
    input: { name: string; password: string },
    request: RequestInfo,
  ): Promise<{ ticket: string } | null>;
}

export function createInvitationService(needs: Needs): InvitationService {
  const { db, audit, accounts, links, credentials, ticket } = needs;

  async function invited(token: string): Promise<Invited | null> {
    const link = await links.peekLink('invite', token);
    const account = link?.userId ? await accounts.byId(link.userId) : null;
    return account?.status === 'invited' ? account : null;
  }

  return {
    invited,

    async accept(token, { name, password }, request) {
      const account = await invited(token);
      if (account === null) return null;
      const error = credentials.checkPasswordPolicy(password, { email: account.email, name });
      if (error !== null) throw new AppError('invalid_input', { status: 422, fields: { password: error } });
      // Hashing takes its time: before the transaction, so that no connection is held meanwhile.
      const hash = await credentials.hashPassword(password);
      return db.tx(async (tx) => {
        const claimed = await links.claimLink(tx, 'invite', token);
        if (claimed?.userId !== account.id || !(await accounts.activate(tx, account.id))) return null;
        await links.cancelLinks(tx, 'invite', account.id);
        await accounts.rename(tx, account.id, name);
        await credentials.setPassword(tx, account.id, hash);
        const made = await links.createLink(tx, { kind: 'ticket', userId: account.id, ttlSeconds: ticket.seconds });
        const user = { type: 'user' as const, id: account.id, name: account.email };
        await audit.in(tx, { action: 'user.accept_invite', outcome: 'success', actor: user, target: user, request });
        return { ticket: made.token };
      });
    },
  };
}
