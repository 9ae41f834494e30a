import type { Database } from '../../platform/db/database.ts';
import type { Log } from '../../platform/observe/log.ts';

/** Other processes are told on this channel; the payload means nothing. */
export const KEYS_CHANGED = 'keys_changed';

/** A leaked key must not stay in use because the database was away at the moment when it was revoked. */
const AGAIN_MS = 1_000;

export interface BuiltFromKeys<T> {
  current(): T;
  /** Resolves when the changes that were told of so far are in `current`. */
  settled(): Promise<void>;
  /** Builds anew now; resolves when that was tried. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps what is built from the signing keys, and from what `also` tells of, as new as they are, on every process. */
export async function followKeys<T>(deps: {
  db: Database;
  log: Log;
  /** Channels beside that of the keys. */
  also: string[];
  build: () => Promise<T>;
}): Promise<BuiltFromKeys<T>> {
  const { db, log, also, build } = deps;
  let state: { built: T } | undefined;
  let told = false;
  let closed = false;
  let renewal = Promise.resolve();
  let again: NodeJS.Timeout | undefined;

  function renew(): Promise<void> {
    clearTimeout(again);
    renewal = renewal.then(async () => {
      if (closed) return;
      try {
        state = { built: await build() };
      } catch (error) {
        log.error(
          { err: error },
          'the new signing keys or settings could not be loaded; it is tried again in a second',
        );
        clearTimeout(again);
        if (!closed) again = setTimeout(renew, AGAIN_MS).unref();
      }
    });
    return renewal;
  }

  // Before the first look: a change after that look is told of.
  const onChange = (): void => {
    if (state) void renew();
    else told = true;
  };
  const stops = await Promise.all([KEYS_CHANGED, ...also].map((channel) => db.listen(channel, onChange)));
  const first = { built: await build() };
  state = first;
  if (told) await renew();

  return {
    current: () => (state ?? first).built,
    settled: () => renewal,
    renew,
    async close() {
      closed = true;
      clearTimeout(again);
      await Promise.all(stops.map((stop) => stop()));
      await renewal;
    },
  };
}
