export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Of what was measured in the same round; rounds in which one of the two has no value are left out. */
export function ratios(above: (number | undefined)[], below: (number | undefined)[]): number[] {
  return above.flatMap((value, round) => {
    const other = below[round];
    return value !== undefined && other !== undefined && other > 0 ? [value / other] : [];
  });
}

export function defined(values: (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined);
}

export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

/** To so many digits; null for what is no number. */
export function rounded(value: number | undefined, digits: number): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toFixed(digits));
}
