import { expect, test } from '@jest/globals';
import { createAdmission } from './admission.ts';

/** Work that ends when it is told to. */
function doors() {
  const open: (() => void)[] = [];
  return {
    work: () => new Promise<'answered'>((resolve) => void open.push(() => resolve('answered'))),
    begun: () => open.length,
    async end(count = 1) {
      for (const each of open.splice(0, count)) each();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('what is above the limit is refused at once, with a time to come again, and nothing of it is done', async () => {
  const refusals: boolean[] = [];
  const admission = createAdmission({ most: 2, onRefused: (first) => refusals.push(first) });
  const { work, begun, end } = doors();
  const both = [admission.admit(work), admission.tryAdmit(work)];
  await expect(admission.admit(work)).rejects.toMatchObject({ code: 'busy', status: 503, retryAfter: 1 });
  expect(admission.tryAdmit(work)).toBeUndefined();
  expect([begun(), refusals, admission.underWay()]).toEqual([2, [true, false], 2]);

  await end();
  await expect(admission.admit(async () => 'done')).resolves.toBe('done');
  await end();
  await Promise.all(both);
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

test('while answers are slow only as many are let in as are answered in two seconds, and never fewer than the least', async () => {
  let time = 0;
  const admission = createAdmission({ most: 100, least: 5, onRefused: () => undefined, now: () => time });
  const { work, end } = doors();
  const letIn = (): number => {
    let count = 0;
    while (admission.tryAdmit(work)) count += 1;
    return count;
  };
  /** A second in which so many of those under way are answered. */
  const second = async (answers: number): Promise<void> => {
    await end(answers);
    time += 1_000;
  };
  expect(letIn()).toBe(100);
  // One slow second may be a pause of the process; what begins with the second one is slowness.
  await second(10);
  expect(letIn()).toBe(10);
  await second(10);
  expect(letIn()).toBe(10);
  await second(10);
  expect(letIn()).toBe(0);
  expect(admission.underWay()).toBe(90);

  // Nothing is answered any more.
  for (let turn = 0; turn < 3; turn += 1) {
    await second(0);
    expect(letIn()).toBe(0);
  }
  await end(86);
  expect(letIn()).toBe(1);

  // A window in which there was little to do says nothing of what could have been done.
  await end(100);
  await second(0);
  expect(letIn()).toBe(100);
  await end(100);
});

test('what is left to somebody else is no answer: it lets nobody in', async () => {
  let time = 0;
  const admission = createAdmission({ most: 100, least: 5, onRefused: () => undefined, now: () => time });
  const { work, end } = doors();
  const all = Array.from({ length: 50 }, () => admission.admit(work));
  for (let turn = 0; turn < 3; turn += 1) {
    for (let passed = 0; passed < 40; passed += 1) await admission.tryAdmit(async () => undefined);
    time += 1_000;
  }
  expect(admission.tryAdmit(work)).toBeUndefined();
  await end(50);
  await Promise.all(all);
});
