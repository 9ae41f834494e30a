import { AppError } from '../../kernel/errors.ts';

export type FormFields = Record<string, string | string[]>;

/**
 * Parses `application/x-www-form-urlencoded` text (a query or a form). A name ending in `[]` collects its values into
 * an array under the name without it; any other repeated name, broken percent-encoding or bytes that are no UTF-8 are
 * refused rather than guessed at.
 */
export function readQuery(text: string): FormFields {
  const fields = new Map<string, string | string[]>();
  let count = 0;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    if (++count > 500) throw new AppError('malformed_input', { status: 400, detail: 'more than 500 fields' });
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = decode(at < 0 ? '' : pair.slice(at + 1));
    const many = name.endsWith('[]');
    const key = many ? name.slice(0, -2) : name;
    const before = fields.get(key);
    if (many && (before === undefined || Array.isArray(before))) {
      fields.set(key, [...(before ?? []), value]);
    } else if (before === undefined) {
      fields.set(key, value);
    } else {
      throw new AppError('duplicate_parameter', { status: 400, params: { name: key.slice(0, 64) } });
    }
  }
  return Object.fromEntries(fields);
}

/** PostgreSQL text holds no U+0000: refused here, once, rather than as a failing query later. */
export function refuseNul(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw new AppError('malformed_input', { status: 400, detail: 'U+0000 in a value' });
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      refuseNul(key);
      refuseNul(inner);
    }
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new AppError('malformed_input', { status: 400, detail: 'broken percent-encoding' });
  }
}
