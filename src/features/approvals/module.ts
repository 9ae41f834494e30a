import type { Route } from '../../platform/web/route.ts';
import type { Approval, Needs } from './needs.ts';
import { approvalRoutes } from './routes.ts';
import { createApprovalService } from './service.ts';

/** Approving on this device what an application asked for on another. */
export function createApprovals<P extends { approval: Approval }>(needs: Needs<P>): { routes: Route[] } {
  return { routes: approvalRoutes(needs, createApprovalService(needs)) };
}
