import { z } from 'zod';
import { isPlainText } from './text.ts';

/** A person's name, wherever it is typed. */
export const personName = z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text');
