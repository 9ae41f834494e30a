import type { Clock } from '../../kernel/clock.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { tokenNotFound } from './errors.ts';
import { findLineage, type LineageStep } from './lineage-store.ts';
import type { TokenKind, TokenState } from './schema.ts';
import * as store from './store.ts';

export interface TokenFilter {
  kind?: TokenKind | undefined;
  state?: TokenState | undefined;
  clientId?: string | undefined;
  /** E-mail address or id. */
  user?: string | undefined;
  /** Name, client_id or id. */
  serviceAccount?: string | undefined;
  audience?: string | undefined;
  /** Of the key that signed it. */
  kid?: string | undefined;
  after?: string | undefined;
}

/** Tokens that were issued: one row each, JWT or opaque. */
export interface Tokens {
  /** Newest first. */
  list(filter: TokenFilter): Promise<Page<store.TokenView>>;
  byJti(jti: string): Promise<store.TokenView | null>;
  /** What it was exchanged for and what was exchanged for it, from the first on; empty where nothing was. */
  lineage(jti: string): Promise<LineageStep[]>;
  /** The newest of those that a person's applications hold now. */
  activeOfUser(userId: string, limit: number): Promise<store.TokenView[]>;
  /**
   * A refresh token takes everything of its grant along, and each token what was exchanged for it. False where it had ended already: nothing is recorded then.
   * @throws tokens.not_found
   */
  revoke(jti: string, origin: ChangeBy): Promise<boolean>;
  /** Everything that a client holds, inside the caller's transaction; answers how many rows. Writes no audit event. */
  revokeOfClient(tx: Tx, clientId: string): Promise<number>;
}

export function createTokenService({ db, audit, clock }: { db: Database; audit: Audit; clock: Clock }): Tokens {
  return {
    async list({ user, serviceAccount, after, ...rest }) {
      const [userIds, serviceClientIds] = await Promise.all([
        user ? store.findUserIds(db.prisma, user) : undefined,
        serviceAccount ? store.findServiceClientIds(db.prisma, serviceAccount) : undefined,
      ]);
      const criteria = { ...rest, userIds, serviceClientIds, after: decodeTimeCursor(after, isRowKey) };
      return await store.listTokens(db.prisma, criteria, clock.now());
    },

    byJti: (jti) => store.findToken(db.prisma, jti, clock.now()),

    lineage: (jti) => findLineage(db.prisma, jti, clock.now()),

    async activeOfUser(userId, limit) {
      const { items } = await store.listTokens(db.prisma, { userIds: [userId], state: 'active' }, clock.now());
      return items.slice(0, limit);
    },

    revoke: (jti, origin) =>
      db.tx(async (tx) => {
        const token = await store.findToken(tx, jti, clock.now());
        if (!token) throw tokenNotFound();
        const rows = await store.revokeToken(tx, jti, clock.now());
        if (rows === 0) return false;
        const { kind, audience, scopes, user, serviceAccount, client } = token;
        const owner = user?.email ?? serviceAccount?.name ?? client?.name;
        await audit.in(
          tx,
          changeEvent(origin, {
            action: 'token.revoke',
            target: { type: 'token', id: jti, ...(owner !== undefined && { name: owner }) },
            ...(client && { clientId: client.id }),
            data: { kind, audience, scopes, rows },
          }),
        );
        return true;
      }),

    revokeOfClient: (tx, clientId) => store.revokeTokensOfClient(tx, clientId, clock.now()),
  };
}

function isRowKey(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
