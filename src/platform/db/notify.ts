import type { Tx } from './database.ts';

/** Tells listeners on every process, at the moment when the transaction commits and only then. */
export async function notifyOnCommit(tx: Tx, channel: string, payload: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify(${channel}, ${payload})`;
}

/** Payload: the client_id whose cached state is stale, or `*` for all of them. */
export const CLIENT_CHANGED = 'client_changed';

/** Workload trusts changed; the payload means nothing. */
export const WORKLOAD_TRUSTS_CHANGED = 'workload_trusts_changed';

/** Types of authorization details changed (RFC 9396); the payload means nothing. */
export const DETAIL_TYPES_CHANGED = 'detail_types_changed';
