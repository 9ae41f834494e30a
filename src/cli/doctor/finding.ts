/** One line of the report. `setting`: what to change. */
export interface Finding {
  check: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  setting?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, status: 'ok', message });

export function warn(check: string, message: string, setting?: string): Finding {
  return { check, status: 'warn', message, ...(setting === undefined ? {} : { setting }) };
}

export function fail(check: string, message: string, setting?: string): Finding {
  return { check, status: 'fail', message, ...(setting === undefined ? {} : { setting }) };
}

/** An error as one sentence; an AppError's private detail is for whoever runs the command. */
export function reason(error: unknown): string {
  const { detail, cause } = error as { detail?: unknown; cause?: unknown };
  if (typeof detail === 'string') return detail;
  if (cause instanceof Error) return reason(cause);
  if (error instanceof AggregateError) return error.errors.map(reason).join('; ');
  return error instanceof Error ? error.message : String(error);
}
