import type { RequestInfo } from '../kernel/request-info.ts';

/** The facts about the request that the web server put on the context, for events and session rows. */
export function requestOf(ctx: { state?: unknown }): RequestInfo | undefined {
  return (ctx.state as { request?: RequestInfo } | undefined)?.request;
}
