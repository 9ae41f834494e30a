import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../../kernel/access-token.ts';

export const byKid = z.strictObject({ kid: z.string().regex(/^[\w-]{1,100}$/) });

export const rotateForm = z.strictObject({ alg: z.enum(SIGNING_ALGORITHMS, 'signing_keys.alg') });

/** Why a key is taken away: kept in the audit log. */
export const reason = z.string().trim().min(1, 'required').max(500, 'too_long');
export const leakedForm = z.strictObject({ reason });
