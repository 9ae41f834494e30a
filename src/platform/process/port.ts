import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const PATIENCE_MS = 2_000;
const PAUSE_MS = 100;

/**
 * Throws EADDRINUSE, as listening on it would. Those that share a port would share it with another installation too,
 * and nobody would be told. The workers of a predecessor that was killed end by themselves, which takes a moment.
 */
export async function mustBeFree(port: number, host: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const probe = createServer().listen(port, host);
      await once(probe, 'listening');
      probe.close();
      await once(probe, 'close');
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || performance.now() > deadline) throw error;
      await wait(PAUSE_MS);
    }
  }
}
