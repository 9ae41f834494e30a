import { fileURLToPath } from 'node:url';
import { AppError, type FieldError } from '../kernel/errors.ts';

/** A failure as the command line prints it; `code` is stable. */
export interface Failure {
  code: string;
  message: string;
  fields?: Record<string, string>;
}

/** `text` gives the words for a code, or undefined where there are none. */
export type Words = (code: string, params: Record<string, string | number>) => string | undefined;

export function explainFailure(error: unknown, words: Words = () => undefined): Failure {
  if (!(error instanceof AppError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
  }
  const message = typeof error.detail === 'string' ? error.detail : words(error.code, error.params);
  const failure = { code: error.code, message: message ?? error.code };
  if (!error.fields) return failure;
  const fields = Object.entries(error.fields).map(
    ([name, field]) => [asOption(name), explainField(field, words)] as const,
  );
  return { ...failure, fields: Object.fromEntries(fields) };
}

/** Inputs are named in camel case inside, options with hyphens. */
function asOption(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function explainField(field: FieldError, words: Words): string {
  return words(field.code, field.params ?? {}) ?? field.code;
}

/** The texts of the locale files, where the pages take theirs from too. */
export async function localeWords(): Promise<Words> {
  const { createI18n } = await import('../platform/web/i18n.ts');
  const i18n = createI18n({ dir: fileURLToPath(new URL('../../locales', import.meta.url)) });
  const { find } = i18n.translator(i18n.fallback);
  return (code, params) => find(`error.${code}`, params);
}
