/** A slice of a list that goes by key, not by offset: it costs the same on page 1 and on page 400. */
export interface Page<T> {
  items: T[];
  /** Opaque; hand it back as `after` for what follows. Absent on the last page. */
  next: string | undefined;
}

export const PAGE_SIZE = 25;

/** Where a list ordered by time (newest first), then id, goes on. */
export interface TimeCursor {
  at: Date;
  id: string;
}

export function encodeTimeCursor(cursor: TimeCursor): string {
  return Buffer.from(`${cursor.at.getTime()} ${cursor.id}`).toString('base64url');
}

/** undefined for nothing and for text that never came from encodeTimeCursor: the list then starts at its beginning. */
export function decodeTimeCursor(text: string | undefined): TimeCursor | undefined {
  if (text === undefined || text.length > 400) return undefined;
  const [, millis, id] = /^(\d{1,15}) ([\x21-\x7e]{1,200})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (millis === undefined || id === undefined) return undefined;
  return { at: new Date(Number(millis)), id };
}

/** Makes a page of up to `size` from `size + 1` rows that were asked for. */
export function toPage<Row, T>(
  rows: readonly Row[],
  size: number,
  view: (row: Row) => T,
  cursor: (row: Row) => TimeCursor,
): Page<T> {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(view),
    next: rows.length > size && last !== undefined ? encodeTimeCursor(cursor(last)) : undefined,
  };
}
