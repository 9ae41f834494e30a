export interface FieldError {
  /** A stable code; its text stands in the locale files under `error.<code>`. */
  code: string;
  params?: Record<string, string | number>;
}

export interface AppErrorOptions {
  status?: number;
  /** Values for the message's placeholders. */
  params?: Record<string, string | number>;
  /** Per input field, what is wrong with it. */
  fields?: Record<string, FieldError>;
  /** Private: goes to the log, never to the outside. */
  detail?: unknown;
  cause?: unknown;
  /** Seconds; sent as Retry-After. */
  retryAfter?: number;
}

/**
 * The one error that may reach a person or a client. `code` is stable (`users.email_taken`), its text is
 * `error.<code>` in the locale files. Rendered in one place, as a page or as problem+json (RFC 9457).
 */
export class AppError extends Error {
  readonly code: string;
  readonly status: number;
  readonly params: Record<string, string | number>;
  readonly fields: Record<string, FieldError> | undefined;
  readonly detail: unknown;
  readonly retryAfter: number | undefined;

  constructor(code: string, options: AppErrorOptions = {}) {
    super(code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = options.status ?? 400;
    this.params = options.params ?? {};
    this.fields = options.fields;
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
  }
}

export function notFound(code = 'not_found'): AppError {
  return new AppError(code, { status: 404 });
}

/** A part that the answer needs can't be reached: nothing is decided, and the caller may come again. */
export function unavailable(code: string, cause?: unknown, retryAfter = 2): AppError {
  return new AppError(code, { status: 503, cause, retryAfter });
}
