import { childrenOf, type Der, oidOf, readDer, TAG } from './der.ts';

/** One attribute of a name. `value`: its text; undefined where it is of a kind whose text can't be told for sure. */
export interface NameAttribute {
  oid: string;
  value: string | undefined;
}

/** A distinguished name in the order of its encoding: a list of sets, nearly always of one attribute each. */
export type DistinguishedName = NameAttribute[][];

/** RFC 4514 section 3, and the names that OpenSSL prints for others. */
const ATTRIBUTES: Record<string, string> = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  SERIALNUMBER: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  S: '2.5.4.8',
  STREET: '2.5.4.9',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  TITLE: '2.5.4.12',
  GN: '2.5.4.42',
  DNQUALIFIER: '2.5.4.46',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  EMAILADDRESS: '1.2.840.113549.1.9.1',
  E: '1.2.840.113549.1.9.1',
};

const OID = /^(?:[0-2](?:\.(?:0|[1-9]\d{0,15})){1,20})$/;

/**
 * Reads the text form of a name (RFC 4514), which begins with the attribute that is encoded last. Undefined for what is
 * none, for a name without attributes, and for values in hexadecimal (`#…`), which nobody can read.
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  const sets: NameAttribute[][] = [[]];
  let rest = text.trim();
  for (;;) {
    const type = /^\s*([A-Za-z][\w-]*|\d[\d.]*)\s*=\s*/.exec(rest);
    const named = type?.[1];
    if (!type || named === undefined) return undefined;
    const oid = ATTRIBUTES[named.toUpperCase()] ?? (OID.test(named) ? named : undefined);
    if (oid === undefined) return undefined;
    const read = readValue(rest.slice(type[0].length));
    if (read === undefined || read.value === '') return undefined;
    sets.at(-1)?.push({ oid, value: read.value });
    if (read.rest === '') return sets.reverse();
    if (read.rest.startsWith(',')) sets.push([]);
    rest = read.rest.slice(1);
  }
}

/** A value up to the next separator, its escapes undone (RFC 4514 section 2.4). */
function readValue(text: string): { value: string; rest: string } | undefined {
  const bytes: number[] = [];
  let end = 0;
  let at = 0;
  if (text.startsWith('#')) return undefined;
  while (at < text.length) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (char === ',' || char === '+') break;
    if (char === '"' || char === ';' || char === '<' || char === '>') return undefined;
    if (char !== '\\') {
      bytes.push(...Buffer.from(char, 'utf8'));
      at += char.length;
      if (char !== ' ') end = bytes.length;
      continue;
    }
    const hex = /^\\([0-9a-f]{2})/i.exec(text.slice(at))?.[1];
    const special = /^\\([ "#+,;<=>\\])/.exec(text.slice(at))?.[1];
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (special !== undefined) bytes.push(special.charCodeAt(0));
    else return undefined;
    at += hex === undefined ? 2 : 3;
    end = bytes.length;
  }
  const value = utf8(Buffer.from(bytes.slice(0, end)));
  return value === undefined ? undefined : { value, rest: text.slice(at) };
}

/** `content`: of the SEQUENCE that a Name is (RFC 5280 section 4.1.2.4). */
export function readDistinguishedName(content: Buffer): DistinguishedName {
  return readDer(content).map((set) =>
    childrenOf(set, TAG.set).map((attribute) => {
      const [type, value] = childrenOf(attribute, TAG.sequence);
      return { oid: oidOf(type), value: value && textOf(value) };
    }),
  );
}

const TEXT: Record<number, (content: Buffer) => string | undefined> = {
  12: utf8,
  // NumericString, PrintableString, IA5String: ASCII alone.
  18: ascii,
  19: ascii,
  22: ascii,
  // BMPString, which older Microsoft authorities write.
  30: (content) => (content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : undefined),
};

function textOf({ tag, content }: Der): string | undefined {
  return TEXT[tag]?.(content);
}

function utf8(content: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

function ascii(content: Buffer): string | undefined {
  return content.every((octet) => octet < 0x80) ? content.toString('latin1') : undefined;
}

/**
 * The same attributes with the same values in the same order. Letter case and spaces count: who registers a name takes
 * it from the certificate, and a comparison that is looser than the authority's own could join two of its names.
 */
export function sameName(a: DistinguishedName, b: DistinguishedName): boolean {
  const written = (name: DistinguishedName) => {
    const sets = name.map((set) => set.map(({ oid, value }) => (value === undefined ? undefined : `${oid}=${value}`)));
    return sets.flat().includes(undefined) ? undefined : JSON.stringify(sets.map((set) => set.sort()));
  };
  const left = written(a);
  return a.length > 0 && left !== undefined && left === written(b);
}

/** As RFC 4514 writes it. */
export function formatDistinguishedName(name: DistinguishedName): string {
  const short = (oid: string) => Object.entries(ATTRIBUTES).find(([, known]) => known === oid)?.[0] ?? oid;
  const escaped = (value: string | undefined) =>
    (value ?? '?').replace(/[",+;<>\\\0]|^[ #]| $/g, (char) => (char === '\0' ? '\\00' : `\\${char}`));
  const sets = name.map((set) => set.map(({ oid, value }) => `${short(oid)}=${escaped(value)}`).join('+'));
  return sets.reverse().join(',');
}
