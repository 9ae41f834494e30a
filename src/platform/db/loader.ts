import { STALLED_MS } from './failure.ts';

/** Concurrent reads by key share statements: what is asked for at the same time is read together. */
export type Loader<Key, Value> = (key: Key) => Promise<Value>;

interface Waiting<Key, Value> {
  key: Key;
  resolve: (value: Value) => void;
  reject: (error: unknown) => void;
}

/**
 * `load` answers for each of its keys, in their order. It is called no sooner than all requests that have arrived were
 * heard, and never with a key that was asked for after it began: a value is as fresh as if it had been read alone.
 */
export function createLoader<Key, Value>(options: {
  load: (keys: Key[]) => Promise<Value[]>;
  /** Keys in one statement. */
  largest?: number;
  /** Statements under way. */
  atOnce?: number;
  /** Milliseconds; monotonic. */
  now?: () => number;
}): Loader<Key, Value> {
  const { load, largest = 200, atOnce = 2, now = () => performance.now() } = options;
  let queue: Waiting<Key, Value>[] = [];
  let running = 0;
  let planned = false;

  function plan(): void {
    if (planned || running >= atOnce || queue.length === 0) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      const batch = queue.slice(0, largest);
      queue = queue.slice(largest);
      void run(batch);
      plan();
    });
  }

  async function run(batch: Waiting<Key, Value>[]): Promise<void> {
    running += 1;
    const began = now();
    try {
      const values = await load(batch.map(({ key }) => key));
      batch.forEach(({ resolve }, index) => {
        resolve(values[index] as Value);
      });
    } catch (error) {
      const stalled = now() - began >= STALLED_MS;
      for (const { reject } of stalled ? [...batch, ...queue.splice(0)] : batch) reject(error);
    } finally {
      running -= 1;
      plan();
    }
  }

  return (key) =>
    new Promise<Value>((resolve, reject) => {
      queue.push({ key, resolve, reject });
      plan();
    });
}
