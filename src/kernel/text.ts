/**
 * True for text that shows as what it is: no control characters, no halves of a character, and none that is not seen
 * (line separators, zero-width spaces, bidirectional overrides or isolates), which let one name look like another on a
 * page, in a log or in a consent question. Joiners stay: scripts and emoji need them.
 */
export function isPlainText(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/u.test(text);
}
