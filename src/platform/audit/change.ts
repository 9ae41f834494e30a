import type { RequestInfo } from '../../kernel/request-info.ts';
import type { Actor, AuditEvent } from './audit.ts';

/** Who asks for a change and through which request: every use case that changes something takes one. */
export interface ChangeBy {
  by: Actor;
  request?: RequestInfo;
}

/** The audit event of a change that was made, with its actor and request filled in. */
export function changeEvent(
  origin: ChangeBy,
  event: Pick<AuditEvent, 'action' | 'target' | 'clientId' | 'data' | 'reason'>,
): AuditEvent {
  return { outcome: 'success', actor: origin.by, ...(origin.request && { request: origin.request }), ...event };
}
