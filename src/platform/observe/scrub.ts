const HIDDEN = '[redacted]';

/** Texts beyond this (characters) are cut, in lines beyond it: far more than any message, name or address needs. */
const LONGEST_TEXT = 16_384;

/**
 * Credentials inside text: parameters of URLs and forms, bearer credentials, our own secrets, passwords in URLs. Input of
 * strangers comes here, so each pattern takes time in proportion to the text: a try that fails has looked at a bounded
 * stretch, and an unbounded one never fails.
 */
const SECRET_TEXT: [RegExp, string][] = [
  [
    /([?&; ](?:code|token|access_token|refresh_token|id_token|id_token_hint|client_secret|client_assertion|code_verifier|password|_csrf|state|nonce)=)[^&\s"\\;]+/gi,
    `$1${HIDDEN}`,
  ],
  [/\b(Bearer|Basic|DPoP) [\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\bpst_[\w-]{20,}/g, HIDDEN],
  [/\b([a-z][\w+.-]{0,20}:\/\/[^\s:@/"\\]{0,200}:)[^\s@/"\\]{1,200}@/gi, `$1${HIDDEN}@`],
];

/** Words that a JWT may stand in. A pattern for the JWT itself would begin anew at every `eyJ` of a long word. */
const WORD = /[\w.-]{14,}/g;
const JWT_START = /\beyJ[\w-]{8}/;

function hideJwt(word: string): string {
  const at = word.search(JWT_START);
  if (at < 0) return word;
  const payload = word.indexOf('.', at);
  return payload >= 0 && word.indexOf('.', payload + 1) >= 0 ? word.slice(0, at) + HIDDEN : word;
}

/** JSON leaves these as they are, and a terminal or a viewer may act on them: DEL and C1, bidi marks, line separators. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Cut between words: of a credential at the cut nothing stays. */
function cut(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  let end = LONGEST_TEXT;
  while (end > 0 && /\S/.test(text.charAt(end))) end -= 1;
  return `${text.slice(0, end)}… [${text.length - end} more characters]`;
}

function shorten(line: string): string {
  if (line.length <= LONGEST_TEXT) return line;
  const short = JSON.stringify(JSON.parse(line), (_, value) => (typeof value === 'string' ? cut(value) : value));
  return `${short}\n`;
}

/** A line of the log (one JSON object) without credentials, and without what a terminal could act on. */
export function scrub(line: string): string {
  let text = shorten(line);
  for (const [pattern, replacement] of SECRET_TEXT) text = text.replace(pattern, replacement);
  text = text.replace(WORD, hideJwt);
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
