/** Choices that are the same in every run: Mulberry32. */
export interface Random {
  /** From 0 up to, and not including, 1. */
  next(): number;
  pick<T>(values: readonly T[]): T;
  /** Each with this probability. */
  some<T>(values: readonly T[], probability: number): T[];
  chance(probability: number): boolean;
}

export function seeded(start: number): Random {
  let seed = start;
  const next = (): number => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    pick<T>(values: readonly T[]): T {
      const index = Math.floor(next() * values.length);
      if (values.length === 0) throw new Error('there is nothing to pick from');
      return values[index] as T;
    },
    some: (values, probability) => values.filter(() => next() < probability),
    chance: (probability) => next() < probability,
  };
}
