import { expect, test } from '@jest/globals';
import type { Ctx } from '../../platform/web/context.ts';
import { createDevices } from './devices.ts';

/** A browser with nothing but its cookies. */
function browser(jar = new Map<string, string>()): Ctx {
  const cookies = {
    get: (name: string) => jar.get(name),
    set: (name: string, value: string) => jar.set(name, value),
  };
  return { cookies } as unknown as Ctx;
}

const devices = createDevices({ key: Buffer.alloc(32, 1), secure: false });

test('S61 a device is known to the accounts that signed in there, and to no other', () => {
  const ctx = browser();
  expect(devices.of(ctx, 'ann@example.com')).toBeUndefined();
  devices.remember(ctx, 'ann@example.com');
  const id = devices.of(ctx, 'ann@example.com');
  expect(id).toBeDefined();
  expect(devices.of(ctx, 'bob@example.com')).toBeUndefined();
  devices.remember(ctx, 'bob@example.com');
  devices.remember(ctx, 'ann@example.com');
  expect(devices.of(ctx, 'ann@example.com')).toBe(id);
  expect(devices.of(ctx, 'bob@example.com')).toBeDefined();
});

test('S61 a proof can not be made up or carried over to another account', () => {
  const jar = new Map<string, string>();
  devices.remember(browser(jar), 'ann@example.com');
  const entry = jar.get('postern-device') ?? '';
  const [id] = entry.split('.');
  for (const forged of ['', '~', 'x.y', `${id}.`, `${id}.AAAA`, `other.${entry.split('.')[1]}`, entry.slice(0, -2)]) {
    expect(devices.of(browser(new Map([['postern-device', forged]])), 'ann@example.com')).toBeUndefined();
  }
});

test('of people who share a browser four are remembered', () => {
  const ctx = browser();
  for (const name of ['a', 'b', 'c', 'd', 'e']) devices.remember(ctx, name);
  expect(['a', 'b', 'c', 'd', 'e'].map((name) => devices.of(ctx, name) !== undefined)).toEqual([
    false,
    true,
    true,
    true,
    true,
  ]);
});
