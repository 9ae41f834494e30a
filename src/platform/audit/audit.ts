import type { Clock } from '../../kernel/clock.ts';
import { AppError, unavailable } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Database, Tx } from '../db/database.ts';
import { type AuditEvent, type AuditRow, toRow } from './event.ts';
import { createGroupCommit } from './group-commit.ts';

export type { Actor, AuditEvent, AuditRow } from './event.ts';

/** Rows of another table that must become durable together with their events, by column name. */
export type CompanionRow = Record<string, unknown>;

export interface Audit {
  /** Writes the event into the caller's transaction: the change and its event commit together or not at all. */
  in(tx: Tx, event: AuditEvent): Promise<void>;
  /** Resolves once the event is durable. Rejects with 503 when it can't be written: then nothing may be answered. */
  record(event: AuditEvent): Promise<void>;
  /** The event as a row, for a statement of the caller's that writes it together with the change. */
  row(event: AuditEvent): AuditRow;
  /** The same for several events, with the rows that belong to them, in one statement. */
  commit(events: AuditEvent[], companions?: CompanionRow[]): Promise<void>;
  /** Resolves when nothing is left to write. */
  idle(): Promise<void>;
}

interface Entry {
  events: AuditRow[];
  companions: CompanionRow[];
}

export const AUDIT_COLUMNS =
  'id, time, action, outcome, reason, actor_type, actor_id, actor_name, target_type, target_id, target_name, ' +
  'client_id, address, user_agent, request_id, data';

const INSERT_EVENTS = `INSERT INTO audit_event (${AUDIT_COLUMNS})
  SELECT ${AUDIT_COLUMNS} FROM json_populate_recordset(NULL::audit_event, $1::json)`;

export function createAudit(deps: {
  db: Database;
  clock: Clock;
  /**
   * A data-modifying statement that reads its rows from $2 as JSON; it runs in the same statement as the events, so
   * that both are durable together. Given by the part that owns the table.
   */
  companionInsert?: string;
  /** Told how long each commit took. */
  onCommit?: (seconds: number) => void;
}): Audit {
  const { db, clock } = deps;
  const together = deps.companionInsert ? `WITH companion AS (${deps.companionInsert}) ${INSERT_EVENTS}` : undefined;

  const group = createGroupCommit<Entry>({
    isFaultOfEntry: (error) => !(error instanceof AppError),
    async flush(entries) {
      const events = JSON.stringify(entries.flatMap((entry) => entry.events));
      const companions = entries.flatMap((entry) => entry.companions);
      const began = performance.now();
      try {
        if (companions.length > 0 && together) {
          await db.query('audit-commit-together', together, [events, JSON.stringify(companions)]);
        } else {
          await db.query('audit-commit', INSERT_EVENTS, [events]);
        }
      } catch (error) {
        // What PostgreSQL says of the data itself is told apart from its absence: see isFaultOfEntry.
        throw error instanceof AppError ? unavailable('audit.unavailable', error) : error;
      } finally {
        deps.onCommit?.((performance.now() - began) / 1000);
      }
    },
  });

  function row(event: AuditEvent): AuditRow {
    const now = clock.now();
    return toRow(event, newId(now.getTime()), now);
  }

  return {
    row,
    async in(tx, event) {
      await tx.$executeRawUnsafe(INSERT_EVENTS, JSON.stringify([row(event)]));
    },
    record(event) {
      return group.add({ events: [row(event)], companions: [] });
    },
    commit(events, companions = []) {
      return group.add({ events: events.map(row), companions });
    },
    idle() {
      return group.idle();
    },
  };
}
