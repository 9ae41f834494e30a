import type { RequestInfo } from '../../kernel/request-info.ts';

export interface Actor {
  type: 'user' | 'service_account' | 'client' | 'system' | 'anonymous';
  id?: string;
  name?: string;
}

export interface AuditEvent {
  /** noun.verb: `user.sign_in`, `token.issue`, `service_account.create`. */
  action: string;
  outcome: 'success' | 'failure' | 'denied';
  /** A stable code for a failure or a denial. */
  reason?: string;
  actor?: Actor;
  target?: { type: string; id?: string; name?: string };
  clientId?: string;
  request?: RequestInfo;
  /** Never a credential, a token or a typed password. */
  data?: Record<string, unknown>;
}

/** One row of audit_event, by its column names; JSON leaves out what it does not have, and PostgreSQL need not read it. */
export interface AuditRow {
  id: string;
  time: string;
  action: string;
  outcome: string;
  reason: string | undefined;
  actor_type: string;
  actor_id: string | undefined;
  actor_name: string | undefined;
  target_type: string | undefined;
  target_id: string | undefined;
  target_name: string | undefined;
  client_id: string | undefined;
  address: string | undefined;
  user_agent: string | undefined;
  request_id: string | undefined;
  data: Record<string, unknown> | undefined;
}

const LONGEST_TEXT = 512;

/**
 * PostgreSQL can't hold NUL, nor half of a surrogate pair in JSON. Events of many requests are written by one statement:
 * one of them must not be able to fail it for the others.
 */
function storable(value: string): string {
  if (value.isWellFormed() && !value.includes('\0')) return value;
  return value.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** The same in all of it, copied: what the caller does with its own later does not reach the log. */
function storableIn(value: unknown): unknown {
  if (typeof value === 'string') return storable(value);
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (Array.isArray(value)) return value.map(storableIn);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storable(name), storableIn(inner)]));
}

/** Nothing from outside may make a row of any size. */
function text(value: string | undefined): string | undefined {
  return value === undefined ? undefined : storable(value.slice(0, LONGEST_TEXT));
}

export function toRow(event: AuditEvent, id: string, time: Date): AuditRow {
  return {
    id,
    time: time.toISOString(),
    action: event.action,
    outcome: event.outcome,
    reason: text(event.reason),
    actor_type: event.actor?.type ?? 'anonymous',
    actor_id: text(event.actor?.id),
    actor_name: text(event.actor?.name),
    target_type: text(event.target?.type),
    target_id: text(event.target?.id),
    target_name: text(event.target?.name),
    client_id: text(event.clientId),
    address: text(event.request?.address),
    user_agent: text(event.request?.userAgent),
    request_id: text(event.request?.id),
    data: event.data ? (storableIn(event.data) as Record<string, unknown>) : undefined,
  };
}
