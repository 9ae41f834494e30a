import { describe, expect, test } from '@jest/globals';
import { decodeTimeCursor, encodeTimeCursor, toPage } from './paging.ts';

const any = () => true;
const row = (n: number) => ({ at: new Date(1_700_000_000_000 - n), id: `id-${n}` });
const page = (rows: number[], from?: Parameters<typeof toPage>[4]) =>
  toPage(
    rows.map(row),
    2,
    ({ id }) => id,
    (each) => each,
    from,
  );

describe('toPage', () => {
  test('the first of several pages leads on and not back', () => {
    const first = page([0, 1, 2]);
    expect(first.items).toEqual(['id-0', 'id-1']);
    expect(decodeTimeCursor(first.next, any)).toEqual({ ...row(1), towards: 'older' });
    expect(first.previous).toBeUndefined();
  });

  test('the last page leads back only', () => {
    const last = page([2, 3], { ...row(1), towards: 'older' });
    expect(last.next).toBeUndefined();
    expect(decodeTimeCursor(last.previous, any)).toEqual({ ...row(2), towards: 'newer' });
  });

  test('rows read backwards are shown forwards', () => {
    const back = page([1, 0], { ...row(2), towards: 'newer' });
    expect(back.items).toEqual(['id-0', 'id-1']);
    expect(back.previous).toBeUndefined();
    expect(decodeTimeCursor(back.next, any)).toEqual({ ...row(1), towards: 'older' });
  });

  test('a list of one page has no neighbours', () => {
    expect(page([0, 1])).toEqual({ items: ['id-0', 'id-1'], next: undefined, previous: undefined });
  });
});

describe('decodeTimeCursor', () => {
  test('reads what encodeTimeCursor wrote', () => {
    const cursor = { at: new Date(1_700_000_000_000), id: 'app_x', towards: 'newer' as const };
    expect(decodeTimeCursor(encodeTimeCursor(cursor), any)).toEqual(cursor);
  });

  test('takes anything else for the beginning of the list', () => {
    const made = (text: string) => Buffer.from(text).toString('base64url');
    const odd = [
      undefined,
      '',
      'x',
      made('older 1'),
      made('older x id'),
      made('older 1 a b'),
      made('up 1 id'),
      made('older 1 no-uuid'),
      'a'.repeat(500),
    ];
    for (const text of odd) expect(decodeTimeCursor(text)).toBeUndefined();
  });
});
