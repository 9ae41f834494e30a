import { AsyncLocalStorage } from 'node:async_hooks';
import type { Database } from '../platform/db/database.ts';
import { type FoundRow, tokenColumns } from './token-reads.ts';
import { hashOf } from './token-row.ts';

/** What a page needs beside the interaction: one row, read in the same statement. */
export interface Beside {
  /** One name, one text. */
  name: string;
  /** SQL of a row; the arguments are what the digest of the interaction's uid and its session's person stand in. */
  select(uidHash: string, accountId: string): string;
  /** From $2 on. */
  values: unknown[];
}

type Read = (id: string) => Promise<FoundRow | undefined>;

const reading = new AsyncLocalStorage<Read>();

/** How the interaction is read here, if not alone. */
export const readOfInteraction = (): Read | undefined => reading.getStore();

export interface InteractionReads {
  /** Runs `work`, in which the library looks for the interaction, and answers with what was read beside it. */
  beside<T>(beside: Beside, uid: string, work: () => Promise<T>): Promise<{ result: T; beside: unknown }>;
}

export function createInteractionReads(db: Database): InteractionReads {
  const texts = new Map<string, string>();

  function textOf({ name, select }: Beside): string {
    const known = texts.get(name);
    if (known !== undefined) return known;
    const row = select('t.id_hash', "(t.payload->'session'->>'accountId')::uuid");
    const text = `SELECT ${tokenColumns}, (SELECT row_to_json(b) FROM (${row}) b) AS beside
      FROM token t WHERE t.id_hash = $1 AND t.kind = 'Interaction' AND t.revoked_at IS NULL`;
    texts.set(name, text);
    return text;
  }

  return {
    async beside(beside, uid, work) {
      let found: { beside: unknown } | undefined;
      async function read(id: string): Promise<FoundRow | undefined> {
        const values = [hashOf(id), ...beside.values];
        const [row] = await db.query<FoundRow & { beside: unknown }>(
          `interaction-${beside.name}`,
          textOf(beside),
          values,
        );
        found = row;
        return row;
      }
      const result = await reading.run(read, work);
      // The library had read the interaction before, in this request.
      if (found === undefined) await read(uid);
      return { result, beside: found?.beside ?? null };
    },
  };
}
