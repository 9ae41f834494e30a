import { expect, test } from '@jest/globals';
import { returnPath } from './redirect.ts';

test.each(['/admin', '/admin/users?q=a%20b&status=active', '/account/', '/admin/audit?client=https%3A%2F%2Fx.example'])(
  '%s is a path of ours',
  (path) => {
    expect(returnPath(path, '/default')).toBe(path);
  },
);

test.each([
  undefined,
  7,
  '',
  'admin',
  'https://evil.example',
  'javascript:alert(1)',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/%2fevil.example',
  '/%2Fevil.example',
  '/%252fevil.example',
  '/%5cevil.example',
  '/%255cevil.example',
  '/..//evil.example',
  '/.//evil.example',
  '/%2e%2e//evil.example',
  '/a/..//evil.example',
  '/\t/evil.example',
  '/%09/evil.example',
  '/\n//evil.example',
  '/%0d%0aSet-Cookie:x',
  '/%zz',
  `/${'a'.repeat(3000)}`,
])('%j goes to the default page', (value) => {
  expect(returnPath(value, '/default')).toBe('/default');
});
