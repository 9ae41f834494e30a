import { expect, test } from '@jest/globals';
import { isPublicAddress } from './addresses.ts';
import { createAllowList, readAllowEntry } from './allow-list.ts';

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.250',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:FFFF:10.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:808:808::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  '2606:4700::1%eth0',
  'febf::1',
  'fec0::1',
  'ff02::1',
  '4000::1',
  'localhost',
  '',
  '1.2.3',
  '0x7f.0.0.1',
])('SSRF: %s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '223.255.255.255',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
  '2606:4700:4700::1111',
  '2a00:1450:4001:82a::200e',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test('the allow list takes hosts, ports, addresses and ranges, and means no more than it says', () => {
  const list = createAllowList([
    'keys.internal',
    'Other.internal:8443',
    '10.0.0.0/8',
    '[::1]:9000',
    'fd12::/16',
    '192.0.2.1:80',
  ]);
  expect([list.host('keys.internal', 443), list.host('KEYS.internal', 8080)]).toEqual([true, true]);
  expect([list.host('other.internal', 8443), list.host('other.internal', 443)]).toEqual([true, false]);
  expect([list.host('a.keys.internal', 443), list.host('internal', 443)]).toEqual([false, false]);
  expect([list.address('10.9.8.7', 1), list.address('11.0.0.1', 1), list.host('10.9.8.7', 1)]).toEqual([
    true,
    false,
    true,
  ]);
  expect([list.address('::1', 9000), list.address('::1', 443)]).toEqual([true, false]);
  expect([list.address('fd12:3::1', 1), list.address('fd13::1', 1)]).toEqual([true, false]);
  expect([list.address('192.0.2.1', 80), list.address('192.0.2.1', 81)]).toEqual([true, false]);
});

test.each([
  'https://keys.internal',
  'keys.internal/jwks',
  '*',
  '*.internal',
  'a b',
  '10.0.0.0/33',
  'fd00::/129',
  '1.2.3.4/x',
  'host:0',
  'host:65536',
  '[keys.internal]:80',
  '-a.internal',
  '',
])('the allow list does not take %j', (text) => {
  expect(readAllowEntry(text)).toBeUndefined();
  expect(() => createAllowList([text])).toThrow(RangeError);
});
