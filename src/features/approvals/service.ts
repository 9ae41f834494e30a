import { AppError } from '../../kernel/errors.ts';
import type { RequestInfo } from '../../kernel/request-info.ts';
import type { SignedInPerson } from '../../platform/web/context.ts';
import type { Approval, Needs } from './needs.ts';

export interface ApprovalService {
  /** @throws approvals.gone (410) where it was decided, ended, or is not this person's */
  allow(person: SignedInPerson, id: string, request: RequestInfo): Promise<Approval>;
  /** @throws approvals.gone (410) */
  deny(person: SignedInPerson, id: string, request: RequestInfo): Promise<Approval>;
}

export const gone = () => new AppError('approvals.gone', { status: 410 });

/** How a consent names what it covers. */
function consentScopes({ scopes, permissions }: Approval): string[] {
  return [...scopes, ...permissions.flatMap((api) => api.permissions.map(({ name }) => `${api.audience}#${name}`))];
}

export function createApprovalService<P extends { approval: Approval }>(needs: Needs<P>): ApprovalService {
  const { db, clock, audit, approvals, consents } = needs;

  function event(person: SignedInPerson, approval: Approval, request: RequestInfo) {
    return {
      actor: { type: 'user' as const, id: person.id, name: person.email },
      target: { type: 'client', ...approval.client },
      clientId: approval.client.id,
      request,
      data: {
        scopes: consentScopes(approval),
        ...(approval.bindingMessage === undefined ? {} : { binding_message: approval.bindingMessage }),
        ...(approval.rawDetails.length > 0 ? { authorization_details: approval.rawDetails } : {}),
      },
    };
  }

  return {
    async allow(person, id, request) {
      const prepared = await approvals.prepare(person.id, id);
      if (!prepared) throw gone();
      const { approval } = prepared;
      await db.tx(async (tx) => {
        if (!(await approvals.allow(tx, person.id, prepared, person))) throw gone();
        await consents.add(tx, person.id, approval.client.id, consentScopes(approval), clock.now());
        await audit.in(tx, { ...event(person, approval, request), action: 'approval.allow', outcome: 'success' });
      });
      return approval;
    },

    async deny(person, id, request) {
      const approval = await approvals.find(person.id, id);
      if (!approval) throw gone();
      const denied = { action: 'approval.deny', outcome: 'denied' as const, reason: 'denied_by_person' };
      await db.tx(async (tx) => {
        if (!(await approvals.deny(tx, person.id, id))) throw gone();
        await audit.in(tx, { ...event(person, approval, request), ...denied });
      });
      return approval;
    },
  };
}
