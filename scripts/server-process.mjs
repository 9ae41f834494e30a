// How a serving process is started: its memory depends on it. The image (Dockerfile) starts it in the same way.

/**
 * - The young generation's default, 16 MiB, mostly keeps an idle server large.
 * - V8 lets the old space grow to four times of what lives in it before it collects, and twice is as quick: what lives
 *   are 50 MiB.
 */
export const SERVER_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=100'];

/**
 * Without this, glibc keeps argon2's 19 MiB for each thread that ever hashed: once such a block was freed, its like is no
 * longer given back. In huge pages (where the system leaves that to programs) taking it anew costs nothing that can be
 * measured. Other C libraries pass it over.
 */
const MALLOC = [
  'glibc.malloc.mmap_threshold=1048576',
  'glibc.malloc.trim_threshold=4194304',
  'glibc.malloc.hugetlb=1',
].join(':');

/**
 * What the environment of a serving process has besides. What an operator has set stays.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Record<string, string>}
 */
export function serverEnvironment(env) {
  return { GLIBC_TUNABLES: env.GLIBC_TUNABLES ?? MALLOC };
}
