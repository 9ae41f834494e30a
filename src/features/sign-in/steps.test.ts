import { describe, expect, test } from '@jest/globals';
import { type Attempt, finalAmr, type Step, stepOf } from './steps.ts';

const at = new Date('2026-11-01T12:00:00Z');

function attempt(change: Partial<Attempt> = {}): Attempt {
  return {
    userId: 'u',
    amr: ['pwd'],
    passwordAt: at,
    factorAt: null,
    mustEnroll: false,
    enrollEnc: null,
    codesShownAt: null,
    expiresAt: at,
    ...change,
  };
}

const offered = { mustEnroll: true, enrollEnc: Buffer.from('seed') };

describe('S70 the step follows from what is stored', () => {
  test.each<[string, Attempt | null, boolean, Step]>([
    ['nothing is proven', null, true, 'password'],
    ['the password is proven, a factor exists', attempt(), true, 'factor'],
    ['the password is proven, there is no factor', attempt(offered), false, 'enroll'],
    ['S65 a factor was enrolled in another window since', attempt(offered), true, 'factor'],
    ['a recovery code was used', attempt({ ...offered, amr: ['pwd', 'recovery'] }), true, 'enroll'],
    ['the factor was reset meanwhile', attempt(), false, 'password'],
    ['the codes were shown', attempt({ amr: ['pwd', 'otp'], factorAt: at, codesShownAt: at }), true, 'codes'],
    ['the codes were shown, whatever else stands', attempt({ ...offered, codesShownAt: at }), false, 'codes'],
  ])('%s', (_, stored, hasFactor, step) => {
    expect(stepOf(stored, hasFactor)).toBe(step);
  });

  test('S16 a recovery code is not called a one-time password', () => {
    expect(finalAmr({ amr: ['pwd', 'otp'] })).toEqual(['pwd', 'otp', 'mfa']);
    expect(finalAmr({ amr: ['pwd', 'recovery', 'otp'] })).toEqual(['pwd', 'mfa']);
  });
});
