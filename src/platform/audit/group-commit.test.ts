import { expect, test } from '@jest/globals';
import { createGroupCommit } from './group-commit.ts';

/** A flush that the test lets end by hand. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

test('what arrives during a flush goes together in the next, and each waits for its own', async () => {
  const batches: number[][] = [];
  const first = gate();
  const group = createGroupCommit<number>({
    async flush(entries) {
      batches.push(entries);
      if (batches.length === 1) await first.opened;
    },
  });
  const all = [1, 2, 3, 4].map((entry) => group.add(entry));
  expect(batches).toEqual([[1]]);
  first.open();
  await Promise.all(all);
  expect(batches).toEqual([[1], [2, 3, 4]]);
  await group.idle();
});

test('no statement is larger than it may be', async () => {
  const sizes: number[] = [];
  const group = createGroupCommit<number>({
    largest: 10,
    async flush(entries) {
      sizes.push(entries.length);
    },
  });
  await Promise.all(Array.from({ length: 35 }, (_, entry) => group.add(entry)));
  expect(sizes).toEqual([1, 10, 10, 10, 4]);
});

test('one entry that can not be written fails alone', async () => {
  const written: number[] = [];
  const group = createGroupCommit<number>({
    isFaultOfEntry: () => true,
    async flush(entries) {
      if (entries.includes(3)) throw new Error('bad entry');
      written.push(...entries);
    },
  });
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map((entry) => group.add(entry)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(written.sort()).toEqual([1, 2, 4, 5]);
});

test('S93 when nothing can be written, everybody is told', async () => {
  let tries = 0;
  const group = createGroupCommit<number>({
    isFaultOfEntry: () => false,
    async flush() {
      tries += 1;
      throw new Error('no database');
    },
  });
  const results = await Promise.allSettled([1, 2, 3].map((entry) => group.add(entry)));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(tries).toBe(2);
});

test('S93 what waits behind a statement that hangs is told with it, and does not wait for one more', async () => {
  let time = 0;
  let tries = 0;
  const hanging = gate();
  const group = createGroupCommit<number>({
    largest: 2,
    now: () => time,
    isFaultOfEntry: () => false,
    async flush() {
      tries += 1;
      if (tries > 1) return;
      await hanging.opened;
      throw new Error('no answer');
    },
  });
  const all = [1, 2, 3, 4, 5].map((entry) => group.add(entry));
  time += 15_000;
  hanging.open();
  const results = await Promise.allSettled(all);
  expect(results.map(({ status }) => status)).toEqual(all.map(() => 'rejected'));
  expect(tries).toBe(1);
  await group.add(6);
  expect(tries).toBe(2);
});
