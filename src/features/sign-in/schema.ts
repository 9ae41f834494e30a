import { z } from 'zod';

export const interactionParams = z.strictObject({ uid: z.string().min(1).max(128) });

export const passwordQuery = z.object({ other: z.literal('1').optional() });

export const passwordForm = z.strictObject({
  login: z.string().min(1, 'required').max(254, 'too_long'),
  password: z.string().min(1, 'required').max(1024, 'too_long'),
});

/** Six digits (RFC 6238); people and authenticators write a space in the middle. */
export const codeForm = z.strictObject({
  code: z
    .string()
    .max(16, 'sign_in.code_format')
    .transform((value) => value.replace(/\s/g, ''))
    .pipe(z.string().regex(/^[0-9]{6}$/, 'sign_in.code_format')),
});

export const recoveryForm = z.strictObject({ code: z.string().min(1, 'required').max(64, 'too_long') });

export const emptyForm = z.strictObject({});
