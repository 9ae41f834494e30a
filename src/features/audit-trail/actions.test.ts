import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createI18n } from '../../platform/web/i18n.ts';
import { ACTIONS } from './actions.ts';

const root = join(import.meta.dirname, '../../..');
const i18n = createI18n({ dir: join(root, 'locales'), strict: true });

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('generated'))
  .map((file) => ({ file, text: readFileSync(join(root, 'src', file), 'utf8') }));

const either = (name: string) => `'${name}'(?: [:|] '${name}')*`;
// Where an action is named: in the event itself, in the protocol's table, and as the argument of the functions that a
// part makes its events with. Either of two: `disabled ? 'x.y' : 'x.z'`, or as a type `'x.y' | 'x.z'`.
const WHOLE = new RegExp(
  `(?:\\b(?:action|success|refusal):|\\bevent\\(|\\brecord\\(tx,)\\s*(?:\\w+ \\? )?(${either('[a-z_]+\\.[a-z_]+')})`,
  'g',
);
// A part whose events are all of one noun may give the verbs alone.
const OF_ONE_NOUN = /\baction: `([a-z_]+)\.\$\{verb\}`/;
const VERBS = new RegExp(`\\brecord\\(tx,\\s*(?:\\w+ \\? )?(${either('[a-z_]+')})`, 'g');

const named = (text: string, pattern: RegExp, name: RegExp) =>
  [...text.matchAll(pattern)].flatMap(([, names = '']) => names.match(name) ?? []);

function written(): string[] {
  const whole = sources.flatMap(({ text }) => named(text, WHOLE, /[a-z_]+\.[a-z_]+/g));
  const verbs = sources.flatMap(({ file, text }) => {
    const noun = OF_ONE_NOUN.exec(text)?.[1];
    const beside = sources.filter((other) => noun !== undefined && dirname(other.file) === dirname(file));
    return beside.flatMap((other) => named(other.text, VERBS, /[a-z_]+/g).map((verb) => `${noun}.${verb}`));
  });
  return [...new Set([...whole, ...verbs])].sort();
}

test('what the source can write is offered by the filter', () => {
  const actions = written();
  // One of each way to name it.
  const known = ['audit.export', 'authorization.refuse', 'client.disable', 'client.enable', 'role.unassign'];
  expect(actions).toEqual(expect.arrayContaining([...known, 'service_account.disable', 'service_account.update']));
  const offered = new Set<string>(ACTIONS);
  expect(actions.filter((action) => !offered.has(action))).toEqual([]);
});

test('no action is put together in another way, where it could not be found', () => {
  const pieced = sources.filter(({ text }) => /\baction: `[a-z_]*[.$]/.test(text) && !OF_ONE_NOUN.test(text));
  expect(pieced.map(({ file }) => file)).toEqual([]);
});

test('each action has a text in every language', () => {
  for (const { tag } of i18n.locales) {
    const texts = i18n.texts(tag);
    expect(ACTIONS.filter((action) => !texts.has(`audit_trail.action.${action}`))).toEqual([]);
  }
});

test('each reason that the source names has a text', () => {
  const reasons = sources.flatMap(({ text }) =>
    [...text.matchAll(/\boutcome: '(?:denied|failure)',\s*reason: '([a-z_]+)'/g)].map(([, reason = '']) => reason),
  );
  expect(reasons).toContain('throttled');
  expect(reasons.filter((reason) => !i18n.has(`audit_trail.reason.${reason}`))).toEqual([]);
});
