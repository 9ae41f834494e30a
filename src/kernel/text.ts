/**
 * True for text that shows as what it is: no control characters, no bidirectional overrides or isolates, which let one
 * name look like another on a page, in a log or in a consent question.
 */
export function isPlainText(text: string): boolean {
  return !/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u.test(text);
}
