import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { argon2id, hash as argonHash, verify as argonVerify, needsRehash } from 'argon2';
import { AppError } from '../../kernel/errors.ts';

export interface PasswordHasher {
  /** A PHC string. */
  hash(password: string): Promise<string>;
  /** `rehash`: the password is right and the hash was made with weaker parameters than today's. */
  verify(hash: string, password: string): Promise<{ ok: boolean; rehash: boolean }>;
  /** Does the work of one verification, for a person who does not exist or has no password (S63). */
  burn(password?: string): Promise<void>;
  /** Waiting and running jobs. */
  queued(): number;
  /** Of the pepper that hashes are made with. */
  pepperId: string;
}

export interface PasswordHasherOptions {
  pepper: { id: string; key: Buffer };
  /** Jobs that run at once. */
  concurrency?: number;
  /** Jobs that may wait beside those. */
  maxQueue?: number;
}

const SALT_BYTES = 16;
const TAG_BYTES = 32;
const PARAMETERS = { timeCost: 2, memoryCost: 19456, parallelism: 1 };

/** libuv's pool has four threads, and DNS and files need one: never more than three jobs at once. */
function cores(): number {
  return Math.max(1, Math.min(availableParallelism(), 3));
}

/** A well-formed hash that no known password has: verifying against it costs what a real verification costs. */
function decoy(): string {
  const base64 = (bytes: number): string => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const { memoryCost, timeCost, parallelism } = PARAMETERS;
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${base64(SALT_BYTES)}$${base64(TAG_BYTES)}`;
}

/**
 * Argon2id behind a bounded queue: a flood of sign-ins takes neither all cores nor all memory (19 MiB a job). When the
 * queue is full, AppError `busy` (503).
 */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { pepper, concurrency = cores(), maxQueue = 64 } = options;
  const waiting: (() => void)[] = [];
  let running = 0;

  async function queue<T>(job: () => Promise<T>): Promise<T> {
    if (running < concurrency) running++;
    else {
      if (waiting.length >= maxQueue) throw new AppError('busy', { status: 503, retryAfter: 2 });
      // Whoever ends hands the place over, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }

  // SP 800-63B-4 section 3.1.1.2: one form for the same text from different keyboards, before hashing.
  const bytes = (password: string): Buffer => Buffer.from(password.normalize('NFC'), 'utf8');
  const decoyHash = decoy();

  return {
    pepperId: pepper.id,
    queued: () => waiting.length + running,
    hash: (password) =>
      queue(() =>
        argonHash(bytes(password), { ...PARAMETERS, type: argon2id, hashLength: TAG_BYTES, secret: pepper.key }),
      ),
    verify: (hash, password) =>
      queue(async () => {
        const ok = await argonVerify(hash, bytes(password), { secret: pepper.key });
        return { ok, rehash: ok && needsRehash(hash, PARAMETERS) };
      }),
    burn: async (password = '') => {
      await queue(() => argonVerify(decoyHash, bytes(password), { secret: pepper.key }));
    },
  };
}
