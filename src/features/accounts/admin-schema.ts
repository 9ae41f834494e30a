import { z } from 'zod';
import { personName } from '../../kernel/person-name.ts';
import { isPlainText } from '../../kernel/text.ts';

// One @, something on both sides, no spaces, angle brackets or controls: whether it exists only a mail can tell.
const EMAIL = /^[^\s@<>(),;:"\\]{1,64}@[^\s@<>(),;:"\\]{1,189}$/u;

export const email = z
  .string()
  .trim()
  .min(1, 'required')
  .max(254, 'too_long')
  .regex(EMAIL, 'users.email_invalid')
  .refine(isPlainText, 'plain_text');

export const newUserInput = z.strictObject({
  email,
  name: personName,
  roles: z.array(z.string().max(60, 'too_long')).max(50, 'too_many').default([]),
});

export type NewUserInput = z.input<typeof newUserInput>;
