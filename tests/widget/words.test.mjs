/** What is said, in every language: nothing is missing, nothing is left in English. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';

import { chooseLanguage, directionOf, LANGUAGES, localeFor } from '../../sfdc_widget/web/words/languages.js';
import { plurals } from '../../sfdc_widget/web/words/plurals.js';

const WEB = new URL('../../sfdc_widget/web/', import.meta.url);
const OTHERS = Object.keys(LANGUAGES).filter((language) => language !== 'en');
const PARTS = (await readdir(new URL('words/en/', WEB))).map((name) => name.slice(0, -3));
const COUNTS = [0, 1, 2, 3, 11, 100];
/** One name for each parameter; none of them is a word of any language. */
const NAMES = ['Qvx', 'Zwq', 'Xkj'];
/** No names: numbers, and sentences of ours. */
const COUNTED = new Set(['count', 'minutes', 'seconds', 'why']);
/** Said there as it is in English. */
const SAME = [
  ...OTHERS.flatMap((language) => [0, 1, 2, 3].map((row) => `${language} menu.shortcutKeys.${row}.1`)),
  'de call.answerVideo',
  'de form.name',
  'de link',
  'de problem.code',
  'de status.offline',
  'de video.start',
  'es call.answerAudio',
  'fr call.answerAudio',
  'fr form.email',
  'fr menu.open',
  'fr notes',
];

/** @param {string} language @param {string} part */
async function load(language, part) {
  const folder = part === 'guest' ? `guest/strings/${language}` : `words/${language}/${part}`;
  return (await import(new URL(`${folder}.js`, WEB))).words;
}

/** Every leaf with its path. @returns {[string, unknown][]} */
function leaves(words, path = '') {
  return Object.entries(words).flatMap(([key, value]) => {
    const here = path ? `${path}.${key}` : key;
    return value !== null && typeof value === 'object' ? leaves(value, here) : [[here, value]];
  });
}

/** What a function says of these. */
function said(say, given) {
  const text = say(...given);
  return typeof text === 'object' ? Object.values(text).join(' ') : String(text);
}

/** Of whom, or of how many. @returns {string[]} */
function parameters(say) {
  const [, list = ''] = /^\(?([\w\s,]*)\)?\s*=>/u.exec(String(say).replace(/\/\*.*?\*\//gu, '')) ?? [];
  return list.split(',').map((each) => each.trim()).filter((each) => each !== '');
}

/** @type {string[]} */
const same = [];

for (const part of [...PARTS, 'guest']) {
  test(`${part}: every language says all that English says, and of whom`, async () => {
    const english = leaves(await load('en', part));
    for (const language of OTHERS) {
      const theirs = new Map(leaves(await load(language, part)));
      assert.deepEqual([...theirs.keys()], english.map(([path]) => path), `${language}/${part}`);
      for (const [path, value] of english) {
        const other = theirs.get(path);
        const where = `${language} ${path}`;
        assert.equal(typeof other, typeof value, where);
        if (typeof value === 'string') {
          assert.equal(other.trim() === '', value === '', where);
          assert.doesNotMatch(other, /\$\{|undefined|\[object|\bTODO\b/u, where);
          if (/\p{L}/u.test(value) && other === value) same.push(where);
        } else if (typeof value === 'function') {
          assert.equal(other.length, value.length, where);
          const given = NAMES.slice(0, value.length);
          const [here, there] = [said(value, given), said(other, given)];
          for (const name of given) assert.ok(!here.includes(name) || there.includes(name), `${where} does not say ${name}`);
          for (const count of COUNTS) {
            assert.doesNotMatch(said(other, given.map(() => count)), /undefined|NaN|\[object/u, where);
          }
          // Nothing but names may be said the same way.
          const words = NAMES.reduce((left, name) => left.replaceAll(name, ''), here);
          if (/\p{L}{2}/u.test(words) && here === there) same.push(where);
        }
      }
    }
  });
}

test('no language is left in English', () => {
  assert.deepEqual(same.sort(), SAME.sort());
});

test('Arabic: its own letters, names apart from the sentence, one kind of digits', async () => {
  for (const part of [...PARTS, 'guest']) {
    for (const [path, value] of leaves(await load('ar', part))) {
      if (typeof value === 'string' && value !== '' && !path.includes('shortcutKeys')) {
        assert.match(value, /\p{Script=Arabic}/u, path);
        assert.doesNotMatch(value, /[\u0660-\u0669\u06f0-\u06f9]/u, path);
      } else if (typeof value === 'function') {
        const names = parameters(value).map((parameter, index) => (COUNTED.has(parameter) ? '' : NAMES[index]));
        const text = said(value, NAMES);
        for (const name of names.filter((each) => each && text.includes(each))) {
          assert.ok(text.includes(`\u2068${name}\u2069`), `${path}: ${text}`);
        }
      }
    }
  }
});

test('forms of a number, as each language has them', () => {
  const forms = { zero: 'z', one: 'o', two: 't', few: 'f', many: 'm', other: 'x' };
  assert.deepEqual(COUNTS.map((count) => plurals('ar')(count, forms)), ['z', 'o', 't', 'f', 'm', 'x']);
  assert.deepEqual(COUNTS.map((count) => plurals('fr')(count, forms)), ['o', 'o', 'x', 'x', 'x', 'x']);
  assert.equal(plurals('ar')(3, { other: 'x' }), 'x', 'a form that is not given is the other');
});

test('one language is chosen, whatever is wished, and its kind of times', () => {
  assert.equal(chooseLanguage(['', 'de-AT', 'en']), 'de');
  assert.equal(chooseLanguage(['ja', 'AR_sa']), 'ar');
  assert.equal(chooseLanguage(['ja', 'constructor', '__proto__']), 'en');
  assert.equal(localeFor('en', ['de-DE', 'en-GB']), 'en-GB');
  assert.equal(new Intl.NumberFormat(localeFor('ar', ['ar-EG'])).format(12), '12');
  assert.deepEqual(Object.keys(LANGUAGES).filter((language) => directionOf(language) === 'rtl'), ['ar']);
});
