import { isId } from './ids.ts';

/** A slice of a list that goes by key, not by offset: it costs the same on page 1 and on page 400. */
export interface Page<T> {
  items: T[];
  /** Opaque; hand either back as `after`. Absent where there is nothing more in that direction. */
  next: string | undefined;
  previous?: string | undefined;
}

export const PAGE_SIZE = 25;

/** Where a list that is ordered by time (newest first), then id, goes on: with what is older, or back to the newer. */
export interface TimeCursor {
  at: Date;
  id: string;
  towards?: 'older' | 'newer';
}

export function encodeTimeCursor({ at, id, towards = 'older' }: TimeCursor): string {
  return Buffer.from(`${towards} ${at.getTime()} ${id}`).toString('base64url');
}

/**
 * undefined for nothing and for text that no list gave out: the list then starts at its beginning. `isKey` tells what
 * can be the id of a row, since the database refuses what can't.
 */
export function decodeTimeCursor(
  text: string | undefined,
  isKey: (id: string) => boolean = isId,
): TimeCursor | undefined {
  if (text === undefined || text.length > 400) return undefined;
  const decoded = Buffer.from(text, 'base64url').toString();
  const [, towards, millis, id] = /^(older|newer) (\d{1,14}) ([\x21-\x7e]{1,200})$/.exec(decoded) ?? [];
  if (millis === undefined || id === undefined || !isKey(id)) return undefined;
  return { at: new Date(Number(millis)), id, towards: towards === 'newer' ? 'newer' : 'older' };
}

/**
 * Makes a page of up to `size` from the `size + 1` rows that were asked for, nearest to the cursor `from` first.
 * `keyOf` gives what the list is ordered by. Without `from` no way back is offered.
 */
export function toPage<Row, T>(
  rows: readonly Row[],
  size: number,
  view: (row: Row) => T,
  keyOf: (row: Row) => { at: Date; id: string },
  from?: TimeCursor,
): Page<T> {
  const cursor = (row: Row, back: boolean) => encodeTimeCursor({ ...keyOf(row), towards: back ? 'newer' : 'older' });
  return cutPage(rows, size, view, cursor, from && { back: from.towards === 'newer' });
}

/** The same for a list in any order: `cursorOf` writes the cursor that leads on from a row, or back from it. */
export function cutPage<Row, T>(
  rows: readonly Row[],
  size: number,
  view: (row: Row) => T,
  cursorOf: (row: Row, back: boolean) => string,
  from?: { back: boolean },
): Page<T> {
  const shown = rows.slice(0, size);
  const more = rows.length > size;
  const backwards = from?.back === true;
  if (backwards) shown.reverse();
  const cursor = (row: Row | undefined, back: boolean) => (row === undefined ? undefined : cursorOf(row, back));
  return {
    items: shown.map(view),
    next: backwards || more ? cursor(shown.at(-1), false) : undefined,
    previous: (backwards ? more : from !== undefined) ? cursor(shown[0], true) : undefined,
  };
}
