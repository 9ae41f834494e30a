import { after, type Clock } from '../../kernel/clock.ts';
import { newId, randomToken } from '../../kernel/ids.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import type { Envelope } from '../../platform/crypto/envelope.ts';
import type { Tx } from '../../platform/db/database.ts';
import type { AccountStore, LinkKind } from './store.ts';

export interface LinkRequest {
  kind: LinkKind;
  userId?: string;
  ttlSeconds: number;
  /** Keeps the token, sealed, so that it can be shown again; without it only a digest is kept. */
  keepReadable?: boolean;
  /** Who made it, for the record. */
  createdBy?: string;
}

export interface Links {
  /** The token holds 256 random bits and is shown once, unless `keepReadable`. */
  createLink(tx: Tx, link: LinkRequest): Promise<{ id: string; token: string }>;
  /** Uses a link up; null when unknown, used before, expired or of another kind. One of many parallel claims wins. */
  claimLink(tx: Tx, kind: LinkKind, token: string): Promise<{ id: string; userId: string | null } | null>;
  /** Whether a link would work now, without using it up: what its page asks before it shows a form. */
  peekLink(kind: LinkKind, token: string): Promise<{ id: string; userId: string | null; expiresAt: Date } | null>;
  /** Takes all open links of a kind out of use, of one person when `userId` is given. Answers how many. */
  cancelLinks(tx: Tx, kind: LinkKind, userId?: string): Promise<number>;
  /** The token of the open setup link. */
  currentSetupLink(): Promise<string | null>;
  /** The token of the open setup link, or of a new one; null once there is an admin. */
  ensureSetupLink(ttlSeconds: number): Promise<string | null>;
}

const aad = (id: string): string => `one_time_link|token_enc|${id}`;

export function createLinks(deps: { store: AccountStore; clock: Clock; envelope: Envelope }): Links {
  const { store, clock, envelope } = deps;

  const links: Links = {
    async createLink(tx, { kind, userId, ttlSeconds, keepReadable = false, createdBy }) {
      const now = clock.now();
      const id = newId(now.getTime());
      const token = randomToken(32);
      await store.insertLink(tx, {
        id,
        kind,
        tokenHash: sha256(token),
        tokenEnc: keepReadable ? envelope.seal(Buffer.from(token), aad(id)) : null,
        userId: userId ?? null,
        createdBy: createdBy ?? null,
        createdAt: now,
        expiresAt: after(clock, ttlSeconds),
      });
      return { id, token };
    },

    claimLink: (tx, kind, token) => store.useLink(tx, kind, sha256(token), clock.now()),
    peekLink: (kind, token) => store.openLink(kind, sha256(token), clock.now()),
    cancelLinks: (tx, kind, userId) => store.cancelLinks(tx, kind, userId, clock.now()),

    async currentSetupLink() {
      const link = await store.newestSetupLink(clock.now());
      return link?.tokenEnc ? envelope.open(link.tokenEnc, aad(link.id)).toString('utf8') : null;
    },

    async ensureSetupLink(ttlSeconds) {
      const now = clock.now();
      if (await store.hasAdmin(now)) return null;
      const open = await links.currentSetupLink();
      if (open) return open;
      const id = newId(now.getTime());
      const token = randomToken(32);
      const tokenEnc = envelope.seal(Buffer.from(token), aad(id));
      await store.addSetupLink({
        id,
        tokenHash: sha256(token),
        tokenEnc,
        at: now,
        expiresAt: after(clock, ttlSeconds),
      });
      // Whoever made one at the same moment and ourselves then show the same.
      return links.currentSetupLink();
    },
  };
  return links;
}
