import { availableParallelism } from 'node:os';
import { verify } from 'argon2';

/** Verifies one password as often as it is asked to, no more at once than there are cores. */
export function createVerifier(hash: string, password: string): () => Promise<void> {
  const limit = availableParallelism();
  const waiting: (() => void)[] = [];
  let running = 0;
  return async () => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      if (!(await verify(hash, password))) throw new Error('the password does not verify');
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
