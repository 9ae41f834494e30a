import { type DestinationStream, type Logger, pino } from 'pino';
import { AppError } from '../../kernel/errors.ts';
import { scrub } from './scrub.ts';

export type Log = Logger;

const HIDDEN = '[redacted]';
const MAX_DEPTH = 6;
const MAX_CAUSES = 5;

/** Field names whose values are credentials, compared in lower case without `_` and `-`. */
const SECRET_FIELD =
  /(?:^code|^otp|^seed|^pin|password|passphrase|secret|token|cookies?|authorization|assertion|verifier|csrf|pepper|masterkey|privatekey|recoverycodes?|databaseurl|smtpurl)$/;

function isSecret(field: string): boolean {
  return SECRET_FIELD.test(field.replace(/[_-]/g, '').toLowerCase());
}

function describeError(error: Error, depth: number, causes = 0): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error instanceof AppError && error.detail !== undefined ? { detail: redact(error.detail, depth + 1) } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error && causes < MAX_CAUSES
      ? { cause: describeError(error.cause, depth, causes + 1) }
      : {}),
  };
}

function redact(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  // Bytes are keys, digests or ciphertext: their length is all that a log needs.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return redactFields(value as Record<string, unknown>, depth);
}

function redactFields(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isSecret(name) ? HIDDEN : redact(value, depth + 1)]),
  );
}

/**
 * Structured log: one JSON object a line. Credentials are taken out by field name and by their shape inside text, and
 * what a terminal could act on stays encoded, so that input can't forge or hide lines.
 */
export function createLog({ level, destination }: { level: string; destination?: DestinationStream }): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: (value: unknown) => value },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => redactFields(fields),
    },
    hooks: { streamWrite: scrub },
  };
  const log = destination ? pino(options, destination) : pino(options);
  // pino passes the fields of child loggers by its formatters; children inherit this method.
  const child = log.child;
  log.child = function redacted(this: Log, bindings: object, childOptions?: object) {
    return Reflect.apply(child, this, [redactFields({ ...bindings }), childOptions]);
  } as typeof child;
  return log;
}
