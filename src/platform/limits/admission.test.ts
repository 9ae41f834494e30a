import { expect, test } from '@jest/globals';
import { createAdmission } from './admission.ts';

test('what is above the limit is refused at once, with a time to come again, and nothing of it is done', async () => {
  const refusals: string[] = [];
  const admission = createAdmission({ most: 2, onRefused: () => refusals.push('busy') });
  const doors: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => void doors.push(resolve));
  const first = admission.admit(work);
  const second = admission.admit(work);
  await expect(admission.admit(work)).rejects.toMatchObject({ code: 'busy', status: 503, retryAfter: 1 });
  expect([doors.length, refusals.length, admission.underWay()]).toEqual([2, 1, 2]);

  doors[0]?.();
  await first;
  await expect(admission.admit(async () => 'done')).resolves.toBe('done');
  doors[1]?.();
  await second;
  expect(admission.underWay()).toBe(0);
});

test('a place is free again after a failure', async () => {
  const admission = createAdmission({ most: 1, onRefused: () => undefined });
  const failing = admission.admit(async () => {
    throw new Error('failed');
  });
  await expect(failing).rejects.toThrow('failed');
  await expect(admission.admit(async () => 1)).resolves.toBe(1);
});
