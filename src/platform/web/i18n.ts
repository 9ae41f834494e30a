import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Params = Record<string, string | number>;

export interface Translate {
  /** The text of a key. With `params.count`, `<key>.one` / `.other` (… by the language's plural rules) come first. */
  (key: string, params?: Params): string;
  /** The same, or undefined where no language has the key. */
  find(key: string, params?: Params): string | undefined;
}

export interface Locale {
  /** BCP 47, as the folder under locales/ is called. */
  tag: string;
  dir: 'ltr' | 'rtl';
}

export interface I18n {
  locales: Locale[];
  fallback: Locale;
  locale(tag: string): Locale | undefined;
  translator(locale: Locale): Translate;
  /** Whether the fallback language knows the key. */
  has(key: string): boolean;
  /** All texts of a language, merged from its files. */
  texts(tag: string): ReadonlyMap<string, string>;
}

export interface I18nOptions {
  /** The folder that holds one folder per language, each with JSON files of flat keys. */
  dir: string;
  /** Throw on a key that no language knows (tests); otherwise the key itself is shown. */
  strict?: boolean;
}

const FALLBACK = 'en';

/**
 * Loads locales/<language>/*.json. Each file holds flat keys (`area.key`) with `{name}` placeholders; a key stands in
 * one file only. A text that a language lacks comes from English.
 */
export function createI18n({ dir, strict = false }: I18nOptions): I18n {
  const texts = new Map<string, Map<string, string>>();
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) texts.set(entry.name, readTexts(join(dir, entry.name)));
  }
  const english: ReadonlyMap<string, string> = texts.get(FALLBACK) ?? new Map();
  if (english.size === 0) throw new Error(`no texts in ${join(dir, FALLBACK)}`);
  const locales = [...texts.keys()].sort().map((tag): Locale => ({ tag, dir: direction(tag) }));
  const byTag = new Map(locales.map((locale) => [locale.tag, locale]));
  const fallback = byTag.get(FALLBACK) ?? { tag: FALLBACK, dir: 'ltr' };

  const translators = new Map<string, Translate>();
  function translator(locale: Locale): Translate {
    const made = translators.get(locale.tag) ?? makeTranslator(locale);
    translators.set(locale.tag, made);
    return made;
  }

  function makeTranslator(locale: Locale): Translate {
    const own = texts.get(locale.tag) ?? english;
    const plurals = new Intl.PluralRules(locale.tag);
    const numbers = new Intl.NumberFormat(locale.tag);
    const lookup = (key: string, params?: Params): string | undefined => {
      const text = find(own, plurals, key, params) ?? find(english, plurals, key, params);
      return text === undefined || params === undefined ? text : fill(text, params, numbers);
    };
    const translate = (key: string, params?: Params): string => {
      const text = lookup(key, params);
      if (text === undefined && strict) throw new Error(`no text for "${key}"`);
      return text ?? key;
    };
    return Object.assign(translate, { find: lookup });
  }

  return {
    locales,
    fallback,
    locale: (tag) => byTag.get(tag),
    translator,
    has: (key) => english.has(key) || english.has(`${key}.other`),
    texts: (tag) => texts.get(tag) ?? new Map(),
  };
}

function readTexts(dir: string): Map<string, string> {
  const merged = new Map<string, string>();
  for (const file of readdirSync(dir).sort()) {
    if (!file.endsWith('.json')) continue;
    const parsed: unknown = JSON.parse(readFileSync(join(dir, file), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) throw new Error(`${join(dir, file)} is not a JSON object`);
    for (const [key, text] of Object.entries(parsed)) {
      if (typeof text !== 'string') throw new Error(`${join(dir, file)}: "${key}" is not a text`);
      if (merged.has(key)) throw new Error(`${join(dir, file)}: "${key}" stands in another file too`);
      merged.set(key, text);
    }
  }
  return merged;
}

function find(
  texts: ReadonlyMap<string, string>,
  plurals: Intl.PluralRules,
  key: string,
  params: Params | undefined,
): string | undefined {
  if (typeof params?.count === 'number') {
    const plural = texts.get(`${key}.${plurals.select(params.count)}`) ?? texts.get(`${key}.other`);
    if (plural !== undefined) return plural;
  }
  return texts.get(key);
}

function fill(text: string, params: Params, numbers: Intl.NumberFormat): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? numbers.format(value) : value;
  });
}

const RTL_SCRIPTS = new Set(['Arab', 'Hebr', 'Syrc', 'Thaa', 'Nkoo', 'Adlm']);

function direction(tag: string): 'ltr' | 'rtl' {
  return RTL_SCRIPTS.has(new Intl.Locale(tag).maximize().script ?? '') ? 'rtl' : 'ltr';
}
