import process from 'node:process';

const SIGNALS = { SIGTERM: 15, SIGINT: 2, SIGHUP: 1 } as const;
/** Terminals signal the whole group and npm signals its child as well: copies of one signal come within moments. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Listens for the wish to stop, from now on: signals, and the end of the launcher that holds our channel. The returned
 * signal aborts at the first; a later one ends the process at once with 128 + its number.
 */
export function watchForStop(): AbortSignal {
  const stopping = new AbortController();
  let since = 0;
  function stop(): void {
    if (stopping.signal.aborted) return;
    since = Date.now();
    stopping.abort();
  }
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stopping.signal.aborted && Date.now() - since > SAME_SIGNAL_MS) process.exit(128 + number);
      stop();
    });
  }
  if (process.connected) {
    process.once('disconnect', stop);
    // It must not keep a process alive that has nothing else to do.
    process.channel?.unref();
  }
  return stopping.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
