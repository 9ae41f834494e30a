import type { z } from 'zod';
import { AppError, type FieldError } from './errors.ts';

/**
 * Parses input of a use case, whether it came from a page or from the command line.
 * @throws AppError `invalid_input` (422) with one error for each field
 */
export function check<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidInput(fieldErrors(result.error));
}

export function invalidInput(fields: Record<string, FieldError>): AppError {
  return new AppError('invalid_input', { status: 422, fields });
}

/**
 * The first problem of each field. Messages in schemas are codes; an issue at `field[3]` gets `line: 4`, because lists
 * are typed one entry per line.
 */
export function fieldErrors(error: z.ZodError): Record<string, FieldError> {
  const fields: Record<string, FieldError> = {};
  for (const issue of error.issues) {
    const [field, index] = issue.path;
    const name = issue.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : String(field ?? '');
    if (fields[name]) continue;
    const code = codeOf(issue);
    const params: Record<string, string | number> = {};
    if (typeof index === 'number') params.line = index + 1;
    if (issue.code === 'too_big' && typeof issue.maximum === 'number') params.max = issue.maximum;
    if (issue.code === 'too_small' && typeof issue.minimum === 'number') params.min = issue.minimum;
    if (issue.code === 'custom') Object.assign(params, issue.params);
    fields[name] = Object.keys(params).length > 0 ? { code, params } : { code };
  }
  return fields;
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'unknown_field';
  return /^[a-z]\w*(\.\w+)*$/.test(issue.message) ? issue.message : 'invalid';
}
