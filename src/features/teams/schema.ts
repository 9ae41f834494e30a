import { z } from 'zod';
import { isPlainText } from '../../kernel/text.ts';

// Teams travel in tokens as bare strings, as roles do.
const name = z
  .string()
  .trim()
  .min(1, 'required')
  .max(60, 'too_long')
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'teams.name_characters');

export const teamInput = z.strictObject({
  name,
  description: z.string().trim().max(300, 'too_long').refine(isPlainText, 'plain_text').default(''),
  /** Name of the team above; empty or left out: none. */
  parent: z.string().trim().max(60, 'too_long').default(''),
});

export type TeamInput = z.input<typeof teamInput>;
