import { z } from 'zod';
import { check } from '../../kernel/check.ts';

/** On which terms a role is given. */
export interface Terms {
  /**
   * When it ends: ISO 8601, read as UTC where it names no offset, as fields of the kind datetime-local send it. Empty
   * or left out: never.
   */
  expires?: string | undefined;
}

const MOST_YEARS = 10;
const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

const termsInput = z.strictObject({
  expires: z.string('roles.expires_invalid').trim().max(40, 'too_long').default(''),
});

/** The end, or null for none. @throws invalid_input on field `expires` */
export function endOf(terms: Terms, now: Date): Date | null {
  const last = new Date(now);
  last.setUTCFullYear(last.getUTCFullYear() + MOST_YEARS);
  const schema = termsInput.superRefine(({ expires }, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message, path: ['expires'] });
    if (expires === '') return;
    const end = momentOf(expires);
    if (!end) refuse('roles.expires_invalid');
    else if (end <= now) refuse('roles.expires_past');
    else if (end > last) refuse('roles.expires_far');
  });
  const { expires } = check(schema, terms);
  return momentOf(expires) ?? null;
}

function momentOf(text: string): Date | undefined {
  const [, day = '', time = '00:00', zone = 'Z'] = MOMENT.exec(text.toUpperCase()) ?? [];
  const moment = new Date(`${day}T${time}${zone}`);
  // Some engines read 30 February as 2 March.
  const real = day !== '' && new Date(`${day}T00:00Z`).toJSON()?.startsWith(day);
  return real && !Number.isNaN(moment.getTime()) ? moment : undefined;
}
