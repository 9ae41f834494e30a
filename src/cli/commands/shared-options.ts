import type { ChangeBy } from '../../platform/audit/change.ts';
import type { Surroundings } from '../command.ts';

/** The command line acts as the system; the name says which operating-system user ran it. */
export function author(surroundings: Surroundings): ChangeBy {
  return { by: { type: 'system', id: 'cli', name: surroundings.osUser } };
}

/** What is wrong with the given AUDIENCE#P values, or null. */
export function permissionProblem(permissions: readonly string[]): string | null {
  const bad = permissions.find((text) => !/^[^#\s]+#[^#\s]+$/.test(text));
  return bad === undefined ? null : `--permission ${bad} must be AUDIENCE#P`;
}

/** The option's value as one of the words that its declaration allows; the first where it was left out. */
export function oneOf<T extends string>(words: readonly [T, ...T[]], given: string | undefined): T {
  return words.find((word) => word === given) ?? words[0];
}

/** Columns of a list for a person, the widest value of each giving its width. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
