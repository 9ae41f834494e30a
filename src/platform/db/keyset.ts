import type { TimeCursor } from '../../kernel/paging.ts';

type Direction = 'asc' | 'desc';
type Bound<T> = { lt: T } | { gt: T };

export interface Keyset<Key extends string> {
  where: {
    createdAt?: { lte: Date } | { gte: Date };
    OR?: ({ createdAt: Bound<Date> } | Record<Key, Bound<string>>)[];
  };
  orderBy: ({ createdAt: Direction } | Record<Key, Direction>)[];
}

/**
 * Condition and order for the rows next to a cursor in a list ordered by created_at (newest first), then `key`
 * ascending. Towards newer rows the order is turned round, so that the nearest come first; toPage() turns it back.
 */
export function keyset<Key extends string>(key: Key, from: TimeCursor | undefined): Keyset<Key> {
  const newer = from?.towards === 'newer';
  const on = <T>(value: T) => ({ [key]: value }) as Record<Key, T>;
  const orderBy = [{ createdAt: newer ? 'asc' : 'desc' } as const, on<Direction>(newer ? 'desc' : 'asc')];
  if (!from) return { where: {}, orderBy };
  const { at, id } = from;
  const where = newer
    ? { createdAt: { gte: at }, OR: [{ createdAt: { gt: at } }, on<Bound<string>>({ lt: id })] }
    : { createdAt: { lte: at }, OR: [{ createdAt: { lt: at } }, on<Bound<string>>({ gt: id })] };
  return { where, orderBy };
}
