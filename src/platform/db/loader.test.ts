import { expect, test } from '@jest/globals';
import { createLoader } from './loader.ts';

test('S93 reads that wait behind a statement that hangs are told with it, and do not wait for one more', async () => {
  let time = 0;
  const asked: number[][] = [];
  const read = createLoader<number, string>({
    largest: 2,
    atOnce: 1,
    now: () => time,
    async load(keys) {
      asked.push(keys);
      if (asked.length > 1) return keys.map(String);
      time += 15_000;
      throw new Error('no answer');
    },
  });
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map(read));
  expect(results.map(({ status }) => status)).toEqual(results.map(() => 'rejected'));
  await expect(read(6)).resolves.toBe('6');
  expect(asked).toEqual([[1, 2], [6]]);
});
