import { expect, test } from '@jest/globals';
import { stalePages } from '../../scripts/docs/generate.ts';

test('the pages about settings and commands say what the code says', () => {
  expect(stalePages()).toEqual([]);
});
