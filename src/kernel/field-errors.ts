import type { z } from 'zod';
import type { FieldError } from './errors.ts';

export interface FieldErrors {
  /** By the name of the top-level field; `_form` for what belongs to none. */
  errors: Record<string, FieldError>;
  /** Fields that the schema does not know. */
  unknown: string[];
  /** Both, for answers that show no form. */
  all: Record<string, FieldError>;
}

type Issue = z.core.$ZodIssue;

/**
 * The first problem of each field. Messages in schemas are locale codes (`z.string().min(1, 'required')`); issues
 * without one get a code by their kind. An issue at `field[3]` gets `line: 4`: lists are typed one entry per line.
 */
export function fieldErrors(error: z.ZodError | z.core.$ZodError): FieldErrors {
  const errors: Record<string, FieldError> = {};
  const unknown: string[] = [];
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      unknown.push(...issue.keys);
      continue;
    }
    const name = String(issue.path[0] ?? '_form');
    errors[name] ??= fieldError(issue);
  }
  const all = { ...errors };
  for (const name of unknown) all[name] = { code: 'unknown_field' };
  return { errors, unknown, all };
}

function fieldError(issue: Issue): FieldError {
  const params: Record<string, string | number> = {};
  const [, index] = issue.path;
  if (typeof index === 'number') params.line = index + 1;
  if (issue.code === 'too_small') params.min = Number(issue.minimum);
  if (issue.code === 'too_big') params.max = Number(issue.maximum);
  if (issue.code === 'custom') Object.assign(params, issue.params);
  const code = /^[a-z][a-z0-9_.]*$/.test(issue.message) ? issue.message : codeOf(issue);
  return Object.keys(params).length > 0 ? { code, params } : { code };
}

function codeOf(issue: Issue): string {
  switch (issue.code) {
    case 'too_small':
      return issue.origin === 'string' ? (Number(issue.minimum) <= 1 ? 'required' : 'too_short') : 'too_small';
    case 'too_big':
      return issue.origin === 'string' ? 'too_long' : 'too_big';
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'required' : 'invalid';
    case 'invalid_format':
      return issue.format === 'email' ? 'invalid_email' : issue.format === 'url' ? 'invalid_url' : 'invalid';
    default:
      return 'invalid';
  }
}
