/** A request that waits for its person, for whoever tells them. */
export interface BackchannelNotice {
  /** Of the request's row. */
  id: string;
  person: { email: string; name: string };
  application: string;
  bindingMessage: string | undefined;
}

/** The request that was stored a moment ago, between the store, which names its row, and whoever tells the person. */
const notices = new WeakMap<object, BackchannelNotice>();

export function keepNotice(ctx: object | undefined, notice: BackchannelNotice): void {
  if (ctx) notices.set(ctx, notice);
}

export function noticeOf(ctx: object): BackchannelNotice | undefined {
  return notices.get(ctx);
}
