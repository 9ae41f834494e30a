import type { AdapterPayload } from 'oidc-provider';
import type { AccountRecord } from './account-row.ts';

/**
 * What one statement read together with a token: its grant, its session, its person. The library asks for each by
 * itself a moment later, and is answered from here. It lives as long as the request does.
 */
export interface ReadTogether {
  grant?: { id: string; payload: AdapterPayload | undefined };
  session?: { uid: string; payload: AdapterPayload | undefined };
  account?: { userId: string; clientId: string | undefined; record: AccountRecord | undefined };
}

const reads = new WeakMap<object, ReadTogether>();

/** The latest token of a request counts: a request reads one. */
export function keepReads(ctx: object | undefined, read: ReadTogether): void {
  if (ctx) reads.set(ctx, read);
}

export function readTogether(ctx: object | undefined): ReadTogether {
  return (ctx && reads.get(ctx)) ?? {};
}

/** What is written makes what was read before stale. */
export function forgetReads(ctx: object | undefined): void {
  if (ctx) reads.delete(ctx);
}
