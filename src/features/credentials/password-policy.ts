import type { FieldError } from '../../kernel/errors.ts';
import { commonPasswords } from './common-passwords.ts';

export interface PasswordContext {
  email: string;
  name: string;
}

/** SP 800-63B-4 section 3.1.1.2: 8 characters where a second factor is asked for too, which here is always. */
const SHORTEST = 8;
const LONGEST = 1024;
/** What must stay of a password when the words that anybody could guess are taken out. */
const REST = 8;
const SHORTEST_CONTEXT_WORD = 3;

const LEET: Record<string, string> = { '0': 'o', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' };

function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Without the digits and signs that people put around a word. */
function core(text: string): string {
  return text.replace(/^[^\p{L}]+/u, '').replace(/[^\p{L}]+$/u, '');
}

function readings(text: string): string[] {
  const letters = text.replace(/[03457@$!]/g, (char) => LEET[char] ?? char);
  return [text, letters.replaceAll('1', 'l'), letters.replaceAll('1', 'i')];
}

/** `aaaaaaaa`, `12345678`, `hgfedcba`, `abcabcabc`, `12121212`. */
function isPattern(text: string): boolean {
  const points = [...text].map((char) => char.codePointAt(0) ?? 0);
  const steps = new Set(points.slice(1).map((point, index) => point - (points[index] ?? 0)));
  if (steps.size <= 1 && Math.abs([...steps][0] ?? 0) <= 1) return true;
  return [1, 2, 3, 4].some((period) => points.every((point, index) => point === points[index % period]));
}

/** The word that is only repeated: `monkeymonkey`. */
function unit(text: string): string {
  const size = [4, 3, 2].map((times) => text.length / times);
  return (
    size
      .map((length) => text.slice(0, length))
      .find((part) => part !== '' && part.repeat(text.length / part.length) === text) ?? text
  );
}

function isCommon(folded: string): boolean {
  // Stripped before and after the substitutions are read: `P4ssw0rd!2024`, `$unshine1`.
  const forms = [folded, unit(core(folded)), ...readings(core(folded)), ...readings(folded).map(core)];
  if (folded.replace(/^\W+/, '') !== folded) forms.push(...readings(folded.replace(/\d+$/, '')));
  return forms.some((form) => commonPasswords.has(form) || commonPasswords.has(form.replace(/[\s._-]+/g, '')));
}

function contextWords({ email, name }: PasswordContext): string[] {
  const words = ['postern', ...fold(email).split(/[^\p{L}\p{N}]+/u), ...fold(name).split(/[^\p{L}\p{N}]+/u)];
  const whole = [fold(email), fold(name).replace(/\s+/g, '')];
  return [...whole, ...words]
    .filter((word) => word.length >= SHORTEST_CONTEXT_WORD)
    .sort((a, b) => b.length - a.length);
}

function isContext(folded: string, context: PasswordContext): boolean {
  const words = contextWords(context);
  return readings(folded).some((reading) => {
    let rest = reading;
    for (const word of words) rest = rest.replaceAll(word, ' ');
    if (rest === reading) return false;
    const left = core(rest).replace(/\s+/g, '');
    return left.length < REST || isCommon(left);
  });
}

/**
 * Refuses short, common and guessable passwords (S57, S58). No composition rules, no expiry (S59), and no truncation:
 * up to 1024 characters count. Null: acceptable.
 */
export function checkPasswordPolicy(password: string, context: PasswordContext): FieldError | null {
  const length = [...password.normalize('NFC')].length;
  if (length < SHORTEST) return { code: 'password.too_short', params: { min: SHORTEST } };
  if (length > LONGEST) return { code: 'password.too_long', params: { max: LONGEST } };
  const folded = fold(password);
  if (isPattern(folded) || isCommon(folded)) return { code: 'password.common' };
  if (isContext(folded, context)) return { code: 'password.context' };
  return null;
}
