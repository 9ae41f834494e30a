/** What a fault makes of a parameter: as if it had been left out, twice, too long, or there with a wrong value. */
export type FaultKind = 'absent' | 'doubled' | 'long' | 'wrong';

export interface Fault {
  what: string;
  kind: FaultKind;
  /** What stands in the form in the place of `name=value`, encoded; empty for nothing. */
  write(name: string, value: string): string;
}

const enc = encodeURIComponent;
const MIB = 1024 * 1024;

const absent = (what: string, write: Fault['write']): Fault => ({ what, kind: 'absent', write });
const doubled = (what: string, write: Fault['write']): Fault => ({ what, kind: 'doubled', write });
/** A value that is encoded as it should be. */
const other = (what: string, value: (good: string) => string): Fault => ({
  what,
  kind: 'wrong',
  write: (name, good) => `${name}=${enc(value(good))}`,
});
/** A value with something in it that no encoder would write. */
const broken = (what: string, value: (encoded: string) => string): Fault => ({
  what,
  kind: 'wrong',
  write: (name, good) => `${name}=${value(enc(good))}`,
});

const middle = (text: string): number => Math.floor(text.length / 2);
const into = (text: string, what: string): string => text.slice(0, middle(text)) + what + text.slice(middle(text));
const swapCase = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()));

/** Where an encoded octet stands it must not be cut in two. */
const intoEncoded = (encoded: string, what: string): string => encoded.replace(/^(?:%..|[^%]){1,3}/, `$&${what}`);

/** One wrong thing about one parameter of a form (RFC 6749 appendix B). */
export const FAULTS: readonly Fault[] = [
  absent('left out', () => ''),
  absent('empty', (name) => `${name}=`),
  absent('a name alone', (name) => name),
  absent('a list by brackets', (name, value) => `${name}%5B%5D=${enc(value)}`),
  absent('a list by raw brackets', (name, value) => `${name}[]=${enc(value)}`),
  absent('a list by number', (name, value) => `${name}[0]=${enc(value)}`),
  absent('an object by brackets', (name, value) => `${name}[value]=${enc(value)}`),
  absent('an operator', (name, value) => `${name}[$ne]=${enc(value)}`),
  absent('its name in capitals', (name, value) => `${name.toUpperCase()}=${enc(value)}`),
  absent('its name with a space', (name, value) => `+${name}=${enc(value)}`),
  absent('its name with NUL', (name, value) => `${name}%00=${enc(value)}`),
  doubled('twice the same', (name, value) => `${name}=${enc(value)}&${name}=${enc(value)}`),
  doubled('once more, empty, before', (name, value) => `${name}=&${name}=${enc(value)}`),
  doubled('once more, empty, after', (name, value) => `${name}=${enc(value)}&${name}=`),
  doubled('once more, other, before', (name, value) => `${name}=x&${name}=${enc(value)}`),
  doubled('once more, other, after', (name, value) => `${name}=${enc(value)}&${name}=x`),
  doubled('once more, by an encoded name', (name, value) => `${name}=${enc(value)}&%${hex(name[0])}${name.slice(1)}=x`),
  { what: 'a mebibyte', kind: 'long', write: (name) => `${name}=${'a'.repeat(MIB)}` },
  { what: 'a mebibyte behind it', kind: 'long', write: (name, value) => `${name}=${enc(value)}${'+'.repeat(MIB)}` },
  other('40 KiB', () => 'a'.repeat(40 * 1024)),
  other('a number', () => '1'),
  other('a negative number', () => '-1'),
  other('true', () => 'true'),
  other('null', () => 'null'),
  other('undefined', () => 'undefined'),
  other('an object as text', () => '{"a":{"__proto__":1}}'),
  other('a list as text', (good) => JSON.stringify([good])),
  other('quoted', (good) => JSON.stringify(good)),
  other('[object Object]', () => '[object Object]'),
  other('__proto__', () => '__proto__'),
  other('constructor', () => 'constructor'),
  other('a word that nobody knows', () => 'unknown'),
  other('SQL', (good) => `${good}' OR '1'='1`),
  other('a template', () => '<%= 7*7 %>{{7*7}}'),
  other('markup', () => '<script>alert(1)</script>'),
  other('other case', swapCase),
  other('a space before', (good) => ` ${good}`),
  other('a space after', (good) => `${good} `),
  other('spaces around', (good) => `  ${good}  `),
  other('a space in it', (good) => into(good, ' ')),
  other('a tab after', (good) => `${good}\t`),
  other('a space that does not break after', (good) => `${good}\u00a0`),
  other('nothing of width in it', (good) => into(good, '\u200b')),
  other('a byte order mark before', (good) => `\ufeff${good}`),
  other('text that runs the other way', (good) => `\u202e${good}`),
  other('full-width letters', (good) => good.replace(/[!-~]/, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))),
  other('cut at its end', (good) => good.slice(0, -1) || '-'),
  other('cut at its front', (good) => good.slice(1) || '-'),
  other('something behind it', (good) => `${good}x`),
  other('two of them, by a comma', (good) => `${good},${good}`),
  other('two of them, in a row', (good) => `${good}${good}`),
  other('encoded twice', (good) => `%${hex(good[0])}${good.slice(1)}`),
  broken('NUL', () => '%00'),
  broken('NUL before', (value) => `%00${value}`),
  broken('NUL after', (value) => `${value}%00`),
  broken('NUL in it', (value) => intoEncoded(value, '%00')),
  broken('NUL and more after', (value) => `${value}%00.attacker.example`),
  broken('CRLF after', (value) => `${value}%0d%0a`),
  broken('CRLF and a header', (value) => `${value}%0d%0aSet-Cookie:%20a=b`),
  broken('LF in it', (value) => intoEncoded(value, '%0a')),
  broken('ESC in it', (value) => intoEncoded(value, '%1b[31m')),
  broken('octets that are no UTF-8', (value) => `${value}%ff%fe`),
  broken('half of a character', (value) => `${value}%c3`),
  broken('half of a surrogate pair', (value) => `${value}%ed%a0%80`),
  broken('an overlong dot', (value) => `${value}%c0%ae`),
  broken('an overlong NUL', (value) => `${value}%c0%80`),
  broken('its first letter overlong', (value) => overlong(value)),
  broken('a percent sign at the end', (value) => `${value}%`),
  broken('percent and no digits', (value) => `${value}%zz`),
  broken('percent and u', (value) => `${value}%u0041`),
  broken('raw octets beyond ASCII', (value) => `${value}ü€`),
];

function hex(letter = 'x'): string {
  return letter.charCodeAt(0).toString(16).padStart(2, '0');
}

/** UTF-8 has one way to write each character; this is another (RFC 3629 section 3). */
function overlong(encoded: string): string {
  const code = encoded.charCodeAt(0);
  return `%c${(code >> 6).toString(16)}%${(0x80 | (code & 0x3f)).toString(16)}${encoded.slice(1)}`;
}

export interface HeaderFault {
  what: string;
  kind: FaultKind;
  /** Undefined: no header. */
  write(value: string): string | undefined;
}

const header = (what: string, write: HeaderFault['write'], kind: FaultKind = 'wrong'): HeaderFault => ({
  what,
  kind,
  write,
});

/** The same about a header. Control characters in one end at the HTTP parser. */
export const HEADER_FAULTS: readonly HeaderFault[] = [
  header('left out', () => undefined, 'absent'),
  header('empty', () => '', 'absent'),
  header('15 KiB', () => 'a'.repeat(15 * 1024)),
  header('15 KiB behind it', (good) => good + 'A'.repeat(15 * 1024 - good.length)),
  header('one word', () => 'unknown'),
  header('its first word alone', (good) => (good.includes(' ') ? (good.split(' ')[0] ?? '') : '-')),
  header('its last word alone', (good) => (good.includes(' ') ? (good.split(' ').at(-1) ?? '') : '-')),
  header('a comma behind it', (good) => `${good},`),
  header('two in one, by a comma', (good) => `${good}, ${good}`),
  header('two in one, by a space', (good) => `${good} ${good.split(' ').at(-1)}`),
  header('a tab in it', (good) => (good.includes(' ') ? good.replace(' ', '\t') : into(good, '\t'))),
  header('two spaces in it', (good) => (good.includes(' ') ? good.replace(' ', '  ') : into(good, '  '))),
  header('quoted', (good) => `"${good}"`),
  header('octets beyond ASCII', (good) => `${good}\u00ff\u00fe`),
  header('cut at its end', (good) => good.slice(0, -9)),
  header('something behind it', (good) => `${good}x`),
  header('padding behind it', (good) => `${good}=`),
  header('other case', (good) => {
    const at = good.lastIndexOf(' ') + 1;
    return good.slice(0, at) + swapCase(good.slice(at));
  }),
  header('an object', () => '{"a":1}'),
  header('__proto__', () => '__proto__'),
  header('percent encodings', (good) => `${good}%00%ff`),
];
