/** Where a browser stands within one interaction. Each page belongs to exactly one step. */
export type Step = 'password' | 'factor' | 'enroll' | 'codes';

/** Methods proven so far: RFC 8176 values, and `recovery` for a recovery code, which has no value there. */
export type Method = 'pwd' | 'otp' | 'recovery';

export interface Attempt {
  userId: string;
  amr: Method[];
  passwordAt: Date;
  factorAt: Date | null;
  mustEnroll: boolean;
  enrollEnc: Buffer | null;
  codesShownAt: Date | null;
  expiresAt: Date;
}

/**
 * The only step that may be shown or posted to. It is derived from what is stored, never from the address that the
 * browser asks for, so that no step can be skipped or taken in another order.
 */
export function stepOf(attempt: Attempt | null, hasFactor: boolean): Step {
  if (attempt === null) return 'password';
  if (attempt.codesShownAt !== null) return 'codes';
  if (attempt.mustEnroll && attempt.enrollEnc !== null) {
    // A factor may have been enrolled in another window since: a password alone never replaces it.
    return hasFactor && !attempt.amr.includes('recovery') ? 'factor' : 'enroll';
  }
  // Without a factor and without an offered one (it was reset meanwhile) the password has to be proven again.
  return hasFactor ? 'factor' : 'password';
}

/** What the tokens will say of the methods (RFC 8176). A recovery code stays visible as the absence of `otp`. */
export function finalAmr(attempt: Pick<Attempt, 'amr'>): string[] {
  return attempt.amr.includes('recovery') ? ['pwd', 'mfa'] : ['pwd', 'otp', 'mfa'];
}
