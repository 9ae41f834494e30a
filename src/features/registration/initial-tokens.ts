import { z } from 'zod';
import { check, invalidInput } from '../../kernel/check.ts';
import { after, type Clock } from '../../kernel/clock.ts';
import { AppError, type FieldError } from '../../kernel/errors.ts';
import { isId, newId, randomToken } from '../../kernel/ids.ts';
import { decodeTimeCursor, type Page } from '../../kernel/paging.ts';
import { isPlainText } from '../../kernel/text.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import { sha256 } from '../../platform/crypto/digest.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { tokenEnded, tokenNotFound } from './errors.ts';
import { type PolicyInput, policyInput } from './policy.ts';
import * as store from './store.ts';

/** Of an initial access token, in seconds. */
export const LIFETIME = { default: 24 * 3_600, max: 90 * 24 * 3_600 };
const MOST_USES = 1_000;

export interface InitialTokenInput {
  name: string;
  /** How many applications it may make; 1 where left out. */
  uses?: string | number | undefined;
  /** When it ends, ISO 8601, UTC where no offset is named; a day from now where left out. */
  expires?: string | undefined;
  policy: PolicyInput;
}

export type TokenState = 'active' | 'used_up' | 'expired' | 'revoked';

/** Tokens with which applications can register (RFC 7591 section 1.2), made and ended by admins. */
export interface InitialTokens {
  /** `token` in clear, this once. @throws invalid_input */
  create(input: InitialTokenInput, origin: ChangeBy): Promise<store.InitialTokenRow & { token: string }>;
  /** Newest first. */
  list(filter: { after?: string | undefined }): Promise<Page<store.InitialTokenRow>>;
  byId(id: string): Promise<store.InitialTokenRow | null>;
  stateOf(token: store.InitialTokenRow): TokenState;
  /** Applications that it made stay. @throws registration.not_found, registration.ended */
  revoke(id: string, origin: ChangeBy): Promise<store.InitialTokenRow>;
  /** The first hundred, newest first. */
  applicationsOf(id: string): ReturnType<typeof store.registeredWith>;
}

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/i;

const tokenInput = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1, 'required')
    .max(100, 'too_long')
    .refine((text) => text.isWellFormed() && isPlainText(text), 'plain_text'),
  uses: z.coerce
    .number('registration.uses')
    .int('registration.uses')
    .min(1, 'registration.uses')
    .max(MOST_USES, 'registration.uses'),
  expires: z.string().trim().max(40, 'too_long'),
});

export function createInitialTokens(deps: {
  db: Database;
  audit: Audit;
  clock: Clock;
  /** @throws invalid_input on field `permissions` where one is not there */
  permissionIds(tx: Tx, refs: readonly string[]): Promise<string[]>;
}): InitialTokens {
  const { db, audit, clock } = deps;

  /** @throws invalid_input on field `expires` */
  function endOf(text: string): Date {
    if (text === '') return after(clock, LIFETIME.default);
    const [, zone] = MOMENT.exec(text) ?? [];
    const end = MOMENT.test(text) ? new Date(zone ? text : `${text}Z`) : undefined;
    const refuse = (code: string) => invalidInput({ expires: { code } });
    if (!end || Number.isNaN(end.getTime())) throw refuse('registration.expires_invalid');
    if (end <= clock.now()) throw refuse('registration.expires_past');
    if (end > after(clock, LIFETIME.max)) throw refuse('registration.expires_far');
    return end;
  }

  /** All of a form at once, so that it shows everything that is wrong. @throws invalid_input */
  function read(input: InitialTokenInput) {
    const fields: Record<string, FieldError> = {};
    const attempt = <T>(work: () => T): T | undefined => {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof AppError) || !error.fields) throw error;
        Object.assign(fields, error.fields);
        return undefined;
      }
    };
    const { name, uses = 1, expires = '' } = input;
    const told = attempt(() => check(tokenInput, { name, uses, expires }));
    const policy = attempt(() => check(policyInput, input.policy));
    const expiresAt = attempt(() => endOf(expires.trim()));
    if (!told || !policy || !expiresAt) throw invalidInput(fields);
    return { ...told, policy, expiresAt };
  }

  function stateOf({ revokedAt, expiresAt, used, uses }: store.InitialTokenRow): TokenState {
    if (revokedAt) return 'revoked';
    if (used >= uses) return 'used_up';
    return expiresAt <= clock.now() ? 'expired' : 'active';
  }

  const targetOf = ({ id, name }: { id: string; name: string }) => ({ type: 'initial_access_token', id, name });

  return {
    stateOf,

    async create(input, origin) {
      const { name, uses, policy, expiresAt } = read(input);
      const token = `pia_${randomToken(32)}`;
      const at = clock.now();
      const row = { id: newId(at.getTime()), name, prefix: token.slice(0, 10), policy, uses, expiresAt };
      await db.tx(async (tx) => {
        await deps.permissionIds(tx, policy.permissions);
        await store.insertToken(tx, { ...row, hash: sha256(token), at });
        const data = { uses, expiresAt, prefix: row.prefix, policy };
        await audit.in(tx, changeEvent(origin, { action: 'registration_token.create', target: targetOf(row), data }));
      });
      return { ...row, used: 0, createdAt: at, revokedAt: null, token };
    },

    list: (filter) => store.listTokens(db.prisma, decodeTimeCursor(filter.after)),

    byId: async (id) => (isId(id) ? await store.findToken(db.prisma, id) : null),

    async revoke(id, origin) {
      return await db.tx(async (tx) => {
        const token = isId(id) ? await store.findToken(tx, id) : null;
        if (!token) throw tokenNotFound();
        if (stateOf(token) !== 'active' || !(await store.revokeToken(tx, id, clock.now()))) throw tokenEnded();
        const { uses, used } = token;
        const event = { action: 'registration_token.revoke', target: targetOf(token), data: { uses, used } };
        await audit.in(tx, changeEvent(origin, event));
        return { ...token, revokedAt: clock.now() };
      });
    },

    applicationsOf: (id) => store.registeredWith(db.prisma, id),
  };
}
