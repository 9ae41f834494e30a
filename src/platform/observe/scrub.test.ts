import { expect, test } from '@jest/globals';
import { createLog } from './log.ts';
import { scrub } from './scrub.ts';

/** One object whose fields together have that many characters; each is short enough to be looked at whole. */
function line(unit: string, characters: number): string {
  const texts: string[] = [];
  for (let left = characters; left > 0; left -= 16_000) {
    texts.push(unit.repeat(Math.ceil(Math.min(left, 16_000) / unit.length)).slice(0, Math.min(left, 16_000)));
  }
  return `${JSON.stringify({ texts })}\n`;
}

/** Milliseconds, of the quickest of several runs: what else the machine does must not count. */
function cost(text: string): number {
  let quickest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 15; run++) {
    const begun = performance.now();
    scrub(text);
    quickest = Math.min(quickest, performance.now() - begun);
  }
  return quickest;
}

const HOSTILE = [
  ...[
    'eyJ-',
    'eyJ-aaaaaaaa.',
    'eyJ.',
    'eyJaaaaaaaa-',
    'a.',
    '.',
    '-',
    '_eyJ',
    '?code=',
    ' token=;',
    '&state',
    ' Bearer ',
  ],
  ...['Basic a', 'pst_', 'a://', 'a://b:', 'a.b-c+d://', 'http://a:b', '\u202e', '"', '\\', 'a'],
];

test.each(HOSTILE)('text made to take long takes no longer by its length: %j', (unit) => {
  scrub(line(unit, 100_000));
  // One text of 2,000 characters against one of 16,000: in proportion 8, by its square 64.
  expect(cost(line(unit, 16_000))).toBeLessThan(cost(line(unit, 2_000)) * 30 + 0.5);
  // Many of them: 100,000 against 12,500.
  expect(cost(line(unit, 100_000))).toBeLessThan(cost(line(unit, 12_500)) * 30 + 0.5);
});

function written(fields: object, message?: string): string {
  const lines: string[] = [];
  createLog({ level: 'info', destination: { write: (text: string) => lines.push(text) } }).info(fields, message);
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}

test('a long text is cut wherever it comes from, and says so', () => {
  const long = 'many words '.repeat(10_000);
  const text = written({ note: long, list: [long], err: new Error(long) }, long);
  expect(text.length).toBeLessThan(100_000);
  const parsed = JSON.parse(text);
  for (const kept of [parsed.note, parsed.list[0], parsed.err.message, parsed.msg]) {
    expect(kept).toMatch(/^many words .*… \[9\d{4} more characters\]$/s);
  }
  expect(text.endsWith('}\n')).toBe(true);
});

test('S91 of a credential at the cut nothing stays', () => {
  const jwt = `eyJhbGciOiJFUzI1NiJ9.${'c2VjcmV0'.repeat(50)}.c2lnbmF0dXJl`;
  for (let before = 16_384 - jwt.length - 5; before <= 16_390; before += 7) {
    const text = written({ note: `${'x '.repeat(before / 2)}${jwt} ${'y '.repeat(20_000)}` });
    expect(text).not.toContain('c2VjcmV0');
  }
});

test.each([
  ['a JWT', 'see eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl now', 'see [redacted] now'],
  ['one without content', 'eyJhbGciOiJFUzI1NiJ9..c2lnbmF0dXJl', '[redacted]'],
  ['an encrypted one', 'a=eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d', 'a=[redacted]'],
  ['one at the end of a word', 'key-eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'key-[redacted]'],
  [
    'no JWT',
    'eyJ and eyJhbGciOiJFUzI1NiJ9 of db.internal.example.com',
    'eyJ and eyJhbGciOiJFUzI1NiJ9 of db.internal.example.com',
  ],
])('S91 %s', (_, text, expected) => {
  expect(scrub(text)).toBe(expected);
});
