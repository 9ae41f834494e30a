import { AppError, unavailable } from '../../kernel/errors.ts';

// PostgreSQL appendix A: connection exceptions, too many connections, shutdown, start-up, a statement that was cut off
// by statement_timeout or lock_timeout, and one that gave way in a deadlock: sent again, it goes through.
const SQL_STATES = /^(08...|53300|57P0[1-5]|57014|55P03|25006|40P01)$/;
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);
// https://www.prisma.io/docs/orm/reference/error-reference: unreachable, timed out, closed, no connection in time.
const PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);
const ADAPTER_KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'TooManyConnections', 'SocketTimeout']);
// What pg and pg-pool throw without a code.
const MESSAGES =
  /timeout exceeded when trying to connect|Connection terminated|connection error and is not queryable|Query read timeout|Cannot use a pool after calling end/;

/**
 * A statement that failed after so long was waited for in vain: those that wait behind it have waited as long, and are told
 * so now instead of after one more such wait each.
 */
export const STALLED_MS = 1_000;

interface ErrorLike {
  code?: unknown;
  kind?: unknown;
  originalCode?: unknown;
  message?: unknown;
  cause?: unknown;
  meta?: { driverAdapterError?: unknown };
  errors?: unknown;
}

/** The database could not answer (as against: it answered with a refusal). Looks through Prisma's wrapping. */
export function isDatabaseUnavailable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 5) return false;
  const { code, kind, originalCode, message, cause, meta, errors } = error as ErrorLike;
  if (typeof code === 'string' && (SQL_STATES.test(code) || SOCKET_CODES.has(code) || PRISMA_CODES.has(code))) {
    return true;
  }
  if (typeof originalCode === 'string' && SQL_STATES.test(originalCode)) return true;
  if (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) return true;
  if (typeof message === 'string' && MESSAGES.test(message)) return true;
  if (Array.isArray(errors) && errors.some((each) => isDatabaseUnavailable(each, depth + 1))) return true;
  return isDatabaseUnavailable(cause, depth + 1) || isDatabaseUnavailable(meta?.driverAdapterError, depth + 1);
}

/** `database.unavailable` (503, Retry-After) for a database that could not answer; any other error as it is. */
export function translateFailure(error: unknown): unknown {
  if (error instanceof AppError || !isDatabaseUnavailable(error)) return error;
  return unavailable('database.unavailable', error);
}
