import { describe, expect, test } from '@jest/globals';
import { csvCell, exportText } from './export.ts';
import type { EventView } from './store.ts';

const event: EventView = {
  id: '01a201c9-6f62-7d45-8165-754d6cdfcdd0',
  time: new Date('2026-01-02T03:04:05.678Z'),
  action: 'user.sign_in',
  outcome: 'failure',
  reason: 'wrong_password',
  actorType: 'anonymous',
  actorId: null,
  actorName: '=HYPERLINK("https://evil.example","x")',
  targetType: 'user',
  targetId: null,
  targetName: 'Ada "the first", Lovelace',
  clientId: 'app_1',
  address: '2001:db8::1',
  userAgent: '@SUM(1+1)\r\n=1',
  requestId: 'r1',
  data: { method: 'password' },
};

async function* one() {
  yield event;
}

async function textOf(format: 'csv' | 'jsonl'): Promise<string> {
  let text = '';
  for await (const record of exportText(one(), format)) text += record;
  return text;
}

describe('audit export', () => {
  test.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '  =1',
    '\n=1',
    '＝1',
    '＋1',
    '－1',
    '＠A',
    '|calc',
    '%0A=1',
  ])('S97 a cell that begins with %j is text', (value) => {
    expect(csvCell(value)).toBe(`"'${value}"`);
  });

  test.each(['Ada', 'a=b', '2026-01-02T03:04:05Z', '', 'app_1'])('S97 an ordinary cell stays as it is: %j', (value) => {
    expect(csvCell(value)).toBe(`"${value}"`);
  });

  test('S97 quotes are doubled, so that no cell breaks out of its own', () => {
    expect(csvCell('x","=1')).toBe('"x"",""=1"');
  });

  test('CSV has a head row, one record a row and CRLF (RFC 4180)', async () => {
    const text = await textOf('csv');
    expect(text.split('\r\n')[0]).toContain('"id","time","action"');
    expect(text).toContain(`"'=HYPERLINK(""https://evil.example"",""x"")"`);
    expect(text).toContain('"Ada ""the first"", Lovelace"');
    expect(text.endsWith('\r\n')).toBe(true);
  });

  test('JSON lines keep every field as it was', async () => {
    const text = await textOf('jsonl');
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toMatchObject({
      time: '2026-01-02T03:04:05.678Z',
      actor_name: event.actorName,
      user_agent: event.userAgent,
      data: { method: 'password' },
    });
  });
});
