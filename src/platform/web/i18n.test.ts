import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createI18n } from './i18n.ts';

const root = join(import.meta.dirname, '../../..');
const i18n = createI18n({ dir: join(root, 'locales'), strict: true });
const english = i18n.texts('en');

const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').sort();

/** Files of ours that may name a text, with their content. */
const sources = globSync(['src/**/*.ts', 'views/**/*.eta'], {
  cwd: root,
  exclude: ['src/generated/**', '**/*.test.ts'],
}).map((file): [string, string] => [file, readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')]);

describe('texts', () => {
  test('a text is filled in, counted, and falls back to English', () => {
    const en = i18n.translator(i18n.fallback);
    expect(en('error.too_short', { min: 12 })).toBe('Use at least 12 characters.');
    expect(en.find('no.such.text')).toBeUndefined();
    expect(() => en('no.such.text')).toThrow('no.such.text');
    expect(i18n.fallback).toEqual({ tag: 'en', dir: 'ltr' });
  });

  test('every text that pages and code name is there', () => {
    const missing: string[] = [];
    for (const [file, content] of sources) {
      const named = content.matchAll(/\b(?:it\.|state\.)?t\(\s*'([\w.-]+)'\s*[,)]/g);
      for (const [, key = ''] of named) if (!i18n.has(key)) missing.push(`${key} (${file})`);
    }
    expect(missing).toEqual([]);
  });

  test('every language has the keys of English and the same placeholders', () => {
    const plural = /\.(?:zero|one|two|few|many|other)$/;
    const keys = new Set([...english.keys()].map((key) => key.replace(plural, '')));
    for (const { tag } of i18n.locales) {
      const texts = i18n.texts(tag);
      expect({ tag, keys: new Set([...texts.keys()].map((key) => key.replace(plural, ''))) }).toEqual({ tag, keys });
      for (const [key, text] of texts) {
        const original = english.get(key) ?? english.get(key.replace(plural, '.other'));
        if (original === undefined || /\.(?:zero|one|two)$/.test(key)) continue;
        expect({ tag, key, names: placeholders(text) }).toEqual({ tag, key, names: placeholders(original) });
      }
    }
  });

  test('no text holds markup', () => {
    for (const { tag } of i18n.locales) {
      for (const [key, text] of i18n.texts(tag)) expect([tag, key, /<[a-z/]/i.exec(text)]).toEqual([tag, key, null]);
    }
  });
});

describe('views', () => {
  test('S87 no view holds an inline script, style, handler or foreign address', () => {
    for (const [file, content] of sources) {
      if (!file.endsWith('.eta') || file.endsWith('layout/bare.eta')) continue;
      expect({
        file,
        found: /<style|\sstyle=|\son[a-z]+="|javascript:|src="https?:|<script(?![^>]*\bsrc=)/i.exec(
          content.replace(/<%[\s\S]*?%>/g, ''),
        )?.[0],
      }).toEqual({
        file,
        found: undefined,
      });
    }
  });

  test('every POST form carries the token', () => {
    for (const [file, content] of sources) {
      if (!file.endsWith('.eta')) continue;
      const forms = [...content.matchAll(/<form\b(?:<%[\s\S]*?%>|[^>%])*?method="post"[\s\S]*?<\/form>/gi)];
      for (const [form] of forms)
        expect({ file, token: /part\('csrf'\)|_csrf/.test(form) }).toEqual({ file, token: true });
    }
  });
});
