import { z } from 'zod';
import { check, invalidInput } from '../../kernel/check.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type DetailSchema, parseDetailSchema } from '../../kernel/detail-schema.ts';
import { isId } from '../../kernel/ids.ts';
import { isPlainText } from '../../kernel/text.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import { type ChangeBy, changeEvent } from '../../platform/audit/change.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { DETAIL_TYPES_CHANGED, notifyOnCommit } from '../../platform/db/notify.ts';
import * as details from './detail-type-store.ts';
import { apiNotFound } from './errors.ts';
import { findApi, isUniqueViolation } from './store.ts';

/** What a form or a command says of a type; `schema` is JSON text. */
export interface DetailTypeInput {
  type: string;
  description: string;
  schema: string;
}

/** Types of authorization details (RFC 9396 section 2), each understood by one API. */
export interface DetailTypes {
  list(apiId: string): Promise<details.DetailTypeView[]>;
  find(apiId: string, type: string): Promise<details.DetailTypeView | null>;
  /** Of all APIs. */
  names(): Promise<string[]>;
  /** @throws invalid_input, apis.not_found */
  add(apiId: string, input: DetailTypeInput, origin: ChangeBy): Promise<void>;
  /** The same for an API that is named by its audience. @throws invalid_input, apis.not_found */
  addTo(audience: string, input: DetailTypeInput, origin: ChangeBy): Promise<void>;
  /** What was granted already and no longer fits is left out of new tokens. @throws invalid_input, apis.not_found */
  update(apiId: string, input: DetailTypeInput, origin: ChangeBy): Promise<void>;
  /** @throws apis.not_found */
  remove(apiId: string, type: string, origin: ChangeBy): Promise<void>;
}

const input = z.strictObject({
  // A URI, or a word (RFC 9396 section 2).
  type: z
    .string()
    .trim()
    .min(1, 'required')
    .max(200, 'too_long')
    .regex(/^[A-Za-z][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*$/, 'detail_types.type_characters'),
  // People read it in the question whether they allow it.
  description: z.string().trim().min(1, 'required').max(300, 'too_long').refine(isPlainText, 'plain_text'),
  schema: z.string().trim().min(1, 'required'),
});

export function createDetailTypes(deps: { db: Database; audit: Audit; clock: Clock }): DetailTypes {
  const { db, audit, clock } = deps;

  function checked(given: DetailTypeInput): { type: string; description: string; schema: DetailSchema } {
    const form = check(input, given);
    const parsed = parseDetailSchema(form.schema);
    if ('at' in parsed) {
      throw invalidInput({ schema: { code: 'detail_types.schema', params: { value: parsed.at } } });
    }
    return { ...form, schema: parsed.schema };
  }

  async function apiOf(tx: Tx, apiId: string) {
    const api = isId(apiId) ? await findApi(tx, apiId) : null;
    if (!api) throw apiNotFound();
    return api;
  }

  async function record(tx: Tx, api: { id: string; name: string; audience: string }, data: object, by: ChangeBy) {
    const target = { type: 'api', id: api.id, name: api.name };
    await audit.in(
      tx,
      changeEvent(by, { action: 'api.detail_types', target, data: { audience: api.audience, ...data } }),
    );
    await notifyOnCommit(tx, DETAIL_TYPES_CHANGED, '');
  }

  async function add(apiId: string, given: DetailTypeInput, origin: ChangeBy): Promise<void> {
    const row = checked(given);
    try {
      await db.tx(async (tx) => {
        const api = await apiOf(tx, apiId);
        await details.insertDetailType(tx, { ...row, apiId, at: clock.now() });
        await record(tx, api, { added: row.type, description: row.description, schema: row.schema }, origin);
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw invalidInput({ type: { code: 'detail_types.type_taken' } });
      throw error;
    }
  }

  return {
    list: (apiId) => details.listDetailTypes(db.prisma, apiId),
    find: async (apiId, type) => (isId(apiId) ? details.findDetailType(db.prisma, apiId, type) : null),
    names: () => details.detailTypeNames(db.prisma),
    add,

    async addTo(audience, given, origin) {
      const apiId = await details.apiIdByAudience(db.prisma, audience);
      if (apiId === null) throw apiNotFound();
      await add(apiId, given, origin);
    },

    async update(apiId, given, origin) {
      const row = checked(given);
      await db.tx(async (tx) => {
        const api = await apiOf(tx, apiId);
        if (!(await details.updateDetailType(tx, { ...row, apiId }))) throw apiNotFound();
        await record(tx, api, { changed: row.type, description: row.description, schema: row.schema }, origin);
      });
    },

    async remove(apiId, type, origin) {
      await db.tx(async (tx) => {
        const api = await apiOf(tx, apiId);
        if (!(await details.deleteDetailType(tx, apiId, type))) throw apiNotFound();
        await record(tx, api, { removed: type }, origin);
      });
    },
  };
}
