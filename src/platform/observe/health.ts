export interface Readiness {
  ready: boolean;
  /** Names of the checks that failed; their errors go to the log, not to the outside. */
  failing: string[];
}

export interface Health {
  ready(): Promise<Readiness>;
  /** From now on not ready, so that a balancer sends nothing new while what runs is finished. */
  drain(): void;
}

/** A check that takes longer has failed. */
const TIMEOUT_MS = 2_500;
/** Answers are shared for this long: probes from many sides cost one round of checks. */
const SHARED_MS = 500;

async function passes(check: () => Promise<void>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no answer in ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([check().then(() => undefined), late]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}

/** `checks`: what must work before requests may come, each by its name. */
export function createHealth({
  checks,
  onFailure,
}: {
  checks: Record<string, () => Promise<void>>;
  onFailure?: (name: string, error: unknown) => void;
}): Health {
  let draining = false;
  let latest: { at: number; result: Promise<Readiness> } | undefined;

  async function run(): Promise<Readiness> {
    const names = Object.keys(checks);
    const errors = await Promise.all(Object.values(checks).map(passes));
    const failing = names.filter((name, index) => {
      const error = errors[index];
      if (error !== undefined) onFailure?.(name, error);
      return error !== undefined;
    });
    return { ready: failing.length === 0, failing };
  }

  return {
    async ready() {
      if (draining) return { ready: false, failing: ['draining'] };
      // Monotonic time: what is shared must not outlive a clock that is set back.
      const now = performance.now();
      if (!latest || now - latest.at > SHARED_MS) latest = { at: now, result: run() };
      return latest.result;
    },
    drain() {
      draining = true;
    },
  };
}
