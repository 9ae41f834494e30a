import { expect, test } from '@jest/globals';
import { createAuthority, issue } from '../../../test/support/certificates.ts';
import { matchesSubject, readBase64 } from './certificate.ts';
import { chainProblem } from './certificate-chain.ts';

test('S47 a certificate with any one octet changed proves nothing, and breaks nothing', () => {
  const ca = createAuthority();
  const { der } = issue({ name: [['CN', 'billing']], alternatives: [{ kind: 'dns', value: 'a.example' }] }, ca);
  const authorities = [readBase64(ca.der.toString('base64'))];
  const read = (bytes: Buffer) => {
    try {
      return readBase64(bytes.toString('base64'));
    } catch {
      return undefined;
    }
  };
  const problem = (bytes: Buffer) => {
    const certificate = read(bytes);
    if (!certificate) return 'not read';
    for (const kind of ['subject_dn', 'san_dns'] as const) matchesSubject(certificate, kind, 'CN=billing');
    return chainProblem(certificate, { presented: [certificate], authorities, now: new Date() });
  };
  expect(problem(der)).toBeUndefined();
  for (let at = 0; at < der.length; at += 1) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ mask;
      expect({ at, mask, problem: typeof problem(changed) }).toEqual({ at, mask, problem: 'string' });
    }
  }
});
