import type { Clock } from '../../kernel/clock.ts';
import type { Page } from '../../kernel/paging.ts';
import type { Audit } from '../../platform/audit/audit.ts';
import type { ChangeBy } from '../../platform/audit/change.ts';
import { changeEvent } from '../../platform/audit/change.ts';
import type { Database } from '../../platform/db/database.ts';
import { type ExportFormat, exportText } from './export.ts';
import { createEventStore, type EventFilter, type EventView } from './store.ts';

/** What happened here: reading, filtering and exporting the audit events that every other part writes. */
export interface Events {
  /** Newest first; `after` is the `next` or `previous` of another page. */
  page(filter: EventFilter, after?: string): Promise<Page<EventView>>;
  byId(id: string): Promise<EventView | null>;
  /** The newest events that this id did or that were done to it. */
  about(id: string, limit: number): Promise<EventView[]>;
  /** The newest of one action. */
  recent(action: string, limit: number): Promise<EventView[]>;
  /** The newest refusals and failures of signing in, of the second factor, of access and of tokens, and how many. */
  problems(since: Date, limit: number): Promise<{ events: EventView[]; count: number }>;
  /** Oldest first, as views; for those who write another format. */
  read(filter: EventFilter): AsyncIterable<EventView>;
  /** Resolves once the export itself is in the audit trail; then one string a record. */
  export(filter: EventFilter, format: ExportFormat, by: ChangeBy): Promise<AsyncIterable<string>>;
}

export interface AuditTrailNeeds {
  db: Database;
  clock: Clock;
  audit: Audit;
}

export function createEvents({ db, clock, audit }: AuditTrailNeeds): Events {
  const store = createEventStore(db);
  return {
    page: store.page,
    byId: store.byId,
    about: store.about,
    recent: store.recent,
    problems: store.problems,
    read: (filter) => store.read(filter, clock.now()),
    async export(filter, format, by) {
      // An export takes personal data out of the house: who did it stands in the trail, before the first byte leaves.
      await audit.record(changeEvent(by, { action: 'audit.export', data: { format, filter: { ...filter } } }));
      return exportText(store.read(filter, clock.now()), format);
    },
  };
}
