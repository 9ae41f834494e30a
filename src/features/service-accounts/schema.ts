import { z } from 'zod';
import { isPlainText } from '../../kernel/text.ts';

/** How long the secret before the new one keeps working, in seconds. */
export const SECRET_OVERLAPS = [0, 3_600, 86_400, 604_800] as const;

const details = {
  name: z.string().trim().min(1, 'required').max(100, 'too_long').refine(isPlainText, 'plain_text'),
  description: z.string().trim().max(300, 'too_long').refine(isPlainText, 'plain_text').default(''),
};

/** As `<audience>#<permission>`. */
const permissions = z.array(z.string().max(700, 'too_long')).max(500, 'too_many').default([]);

export const createServiceAccountInput = z.strictObject({ ...details, permissions });
export const updateServiceAccountInput = z.strictObject(details);
export const permissionsInput = z.strictObject({ permissions });

export const overlapInput = z.strictObject({
  overlap: z.coerce
    .number('service_accounts.overlap_unknown')
    .refine((seconds) => SECRET_OVERLAPS.some((overlap) => overlap === seconds), 'service_accounts.overlap_unknown'),
});

export type CreateServiceAccountInput = z.input<typeof createServiceAccountInput>;
export type UpdateServiceAccountInput = z.input<typeof updateServiceAccountInput>;
