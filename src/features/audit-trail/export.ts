import type { EventView } from './store.ts';

export type ExportFormat = 'jsonl' | 'csv';

/** The names that an exported event has in both formats. */
export interface ExportedEvent {
  id: string;
  time: string;
  action: string;
  outcome: string;
  reason: string | null;
  actor_type: string;
  actor_id: string | null;
  actor_name: string | null;
  target_type: string | null;
  target_id: string | null;
  target_name: string | null;
  client_id: string | null;
  address: string | null;
  user_agent: string | null;
  request_id: string | null;
  data: unknown;
}

const COLUMNS = [
  'id',
  'time',
  'action',
  'outcome',
  'reason',
  'actor_type',
  'actor_id',
  'actor_name',
  'target_type',
  'target_id',
  'target_name',
  'client_id',
  'address',
  'user_agent',
  'request_id',
  'data',
] as const satisfies readonly (keyof ExportedEvent)[];

export function toExported(event: EventView): ExportedEvent {
  return {
    id: event.id,
    time: event.time.toISOString(),
    action: event.action,
    outcome: event.outcome,
    reason: event.reason,
    actor_type: event.actorType,
    actor_id: event.actorId,
    actor_name: event.actorName,
    target_type: event.targetType,
    target_id: event.targetId,
    target_name: event.targetName,
    client_id: event.clientId,
    address: event.address,
    user_agent: event.userAgent,
    request_id: event.requestId,
    data: event.data ?? null,
  };
}

/** JSON lines, or CSV (RFC 4180) with a head row; one string a record. */
export async function* exportText(events: AsyncIterable<EventView>, format: ExportFormat): AsyncGenerator<string> {
  if (format === 'csv') yield csvRow([...COLUMNS]);
  for await (const event of events) {
    const exported = toExported(event);
    if (format === 'jsonl') yield `${JSON.stringify(exported)}\n`;
    else yield csvRow(COLUMNS.map((column) => asText(exported[column])));
  }
}

function asText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function csvRow(cells: string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/**
 * A spreadsheet runs what begins like a formula, also behind spaces and in full-width forms; the apostrophe makes it
 * text. Names and user agents come from anybody.
 */
export function csvCell(value: string): string {
  const safe = /^[\s\0]*[=+\-@|%＝＋－＠]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return `"${safe.replaceAll('"', '""')}"`;
}
