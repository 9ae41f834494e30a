import type { z } from 'zod';
import { AppError, type FieldError } from './errors.ts';
import { fieldErrors } from './field-errors.ts';

/**
 * Parses input of a use case, whether it came from a page or from the command line.
 * @throws AppError `invalid_input` (422) with one error for each field
 */
export function check<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidInput(fieldErrors(result.error).all);
}

export function invalidInput(fields: Record<string, FieldError>): AppError {
  return new AppError('invalid_input', { status: 422, fields });
}
