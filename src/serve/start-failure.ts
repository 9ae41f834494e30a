import { AppError } from '../kernel/errors.ts';

interface SystemError {
  code?: unknown;
  syscall?: unknown;
  port?: unknown;
  address?: unknown;
  message?: unknown;
  cause?: unknown;
}

/** One sentence for whoever started the program; it names the setting that mends it, where there is one. */
export function explainStartFailure(error: unknown): string {
  if (error instanceof AppError) {
    if (typeof error.detail === 'string') return error.detail;
    if (error.code === 'database.unavailable') {
      return `DATABASE_URL names a database that can't be reached (${innermost(error)})`;
    }
    return error.code;
  }
  const { code, syscall, port, address, message } = (error ?? {}) as SystemError;
  const setting = 'PORT (or POSTERN_MANAGEMENT_PORT)';
  if (syscall === 'listen' && code === 'EADDRINUSE') return `${setting}: port ${port} is taken by another program`;
  if (syscall === 'listen' && code === 'EACCES') return `${setting}: port ${port} needs more rights than this user has`;
  if (syscall === 'listen' && code === 'EADDRNOTAVAIL') return `POSTERN_HOST: ${address} is no address of this machine`;
  // An answer of PostgreSQL, such as 28P01: wrong password, 3D000: no such database.
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return `DATABASE_URL: the database answers "${message}"`;
  return typeof message === 'string' && message !== '' ? message : String(error);
}

function innermost(error: unknown): string {
  let current = error as SystemError;
  while (typeof current.cause === 'object' && current.cause !== null) current = current.cause as SystemError;
  // Node joins the attempts on several addresses into one error without a message.
  const message = typeof current.message === 'string' && current.message !== '' ? current.message : undefined;
  return message ?? (typeof current.code === 'string' ? current.code : 'no reason was given');
}
