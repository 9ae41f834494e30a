import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { newId } from '../../kernel/ids.ts';
import { createAudit } from '../../platform/audit/audit.ts';
import { createEvents, type Events } from './module.ts';
import type { EventFilter } from './store.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const ada = newId();

describe('audit trail', () => {
  let database: TestDatabase;
  let events: Events;
  let now = start;

  beforeAll(async () => {
    database = await createTestDatabase();
    const { db } = database;
    const clock = { now: () => new Date(now) };
    const audit = createAudit({ db, clock });
    events = createEvents({ db, clock, audit });
    for (let i = 0; i < 60; i++) {
      // Several share a millisecond, so that only the id orders them.
      now = start + Math.floor(i / 3) * 1000;
      await audit.record({
        action: i % 2 === 0 ? 'user.sign_in' : 'token.issue',
        outcome: i % 10 === 0 ? 'failure' : 'success',
        actor: { type: 'user', id: i % 4 === 0 ? ada : `other-${i}`, name: i % 4 === 0 ? 'ada_l@example.com' : '100%' },
        clientId: `app_${i % 2}`,
        request: { id: `r${i}`, address: '192.0.2.1', userAgent: '' },
      });
    }
    now = start + 60_000;
  });

  afterAll(() => database.drop());

  async function count(filter: EventFilter): Promise<number> {
    let found = 0;
    for await (const _ of events.read(filter)) found += 1;
    return found;
  }

  async function walk(towards: 'next' | 'previous', from?: string): Promise<string[]> {
    const seen: string[] = [];
    let after: string | undefined = from;
    do {
      const page = await events.page({}, after);
      const ids = page.items.map((event) => event.id);
      if (towards === 'next') seen.push(...ids);
      else seen.unshift(...ids);
      after = page[towards];
    } while (after !== undefined);
    return seen;
  }

  test('paging shows every event once, newest first', async () => {
    const seen = await walk('next');
    expect(seen).toHaveLength(60);
    expect(new Set(seen).size).toBe(60);
    expect(seen).toEqual([...seen].sort().reverse());
  });

  test('paging back shows what paging on showed', async () => {
    const first = await events.page({});
    const second = await events.page({}, first.next);
    const third = await events.page({}, second.next);
    expect(third.next).toBeUndefined();
    const back = await events.page({}, third.previous);
    expect(back.items.map((event) => event.id)).toEqual(second.items.map((event) => event.id));
    const begin = await events.page({}, back.previous);
    expect(begin.items.map((event) => event.id)).toEqual(first.items.map((event) => event.id));
    expect(begin.previous).toBeUndefined();
  });

  test('a cursor that nobody gave out starts at the beginning', async () => {
    const first = await events.page({});
    expect((await events.page({}, 'nonsense')).items[0]?.id).toBe(first.items[0]?.id);
  });

  test('filters narrow by action, noun, outcome, actor, client, request and time', async () => {
    expect(await count({ action: 'user.sign_in' })).toBe(30);
    expect(await count({ action: 'user' })).toBe(30);
    expect(await count({ outcome: 'failure' })).toBe(6);
    expect(await count({ actor: ada })).toBe(15);
    expect(await count({ actor: 'ADA' })).toBe(15);
    expect(await count({ client: 'app_1' })).toBe(30);
    expect(await count({ request: 'r7' })).toBe(1);
    expect(await count({ from: new Date(start + 1000), to: new Date(start + 3000) })).toBe(6);
  });

  test('what LIKE reads as a wildcard is only a character', async () => {
    expect(await count({ actor: '%' })).toBe(45);
    expect(await count({ actor: 'a_l' })).toBe(15);
    expect(await count({ actor: 'd_a' })).toBe(0);
    expect(await count({ action: 'us_r' })).toBe(0);
  });

  test('an export is recorded before its first record, and gives the oldest first', async () => {
    const by = { by: { type: 'system', id: 'cli', name: 'root' } } as const;
    const records: string[] = [];
    for await (const record of await events.export({ action: 'user' }, 'jsonl', by)) records.push(record);
    expect(records).toHaveLength(30);
    const times = records.map((record) => JSON.parse(record).time);
    expect(times).toEqual([...times].sort());
    expect(times[0]).toBe(new Date(start).toISOString());
    const [exported] = (await events.page({ action: 'audit.export' })).items;
    expect(exported).toMatchObject({ actorName: 'root', data: { format: 'jsonl', filter: { action: 'user' } } });
  });

  test('one that is not there is null, whatever the text', async () => {
    expect(await events.byId(newId())).toBeNull();
    expect(await events.byId("' OR 1=1 --")).toBeNull();
  });
});
