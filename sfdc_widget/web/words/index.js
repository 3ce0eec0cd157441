/**
 * The language of the page, and what is said in it.
 *
 * What is said is in parts (`LANGUAGE/PART.js`), each loaded with what says it, in the
 * language in use alone. Who says a part has it from `say`: once, and again when the
 * user chooses another language.
 */
import { Preferences } from '../softphone/preferences.js';
import { chooseLanguage, directionOf, localeFor } from './languages.js';

/** What is kept under, the user's own choice first. */
const CHOSEN = 'language';
const HOSTS = 'host-language';

const preferences = new Preferences();
const browsers = () => globalThis.navigator?.languages ?? [];
const wished = () => [preferences.get(CHOSEN), preferences.get(HOSTS), ...browsers()];
/** @type {Map<string, (words: any) => void>} by part, what is done with its words */
const parts = new Map();
let language = chooseLanguage(wished());

/** The language in use. @returns {string} BCP 47 */
export function languageInUse() {
  return language;
}

/** Its kind that the user reads times and numbers in. @returns {string} BCP 47 */
export function localeInUse() {
  return localeFor(language, browsers());
}

/**
 * Loads a part and has it used, now and in each language to come.
 *
 * @template Words
 * @param {string} part
 * @param {(words: Words) => void} use
 */
export async function say(part, use) {
  if (parts.has(part)) return;
  if (parts.size === 0) mark();
  let asked = language;
  let words = await load(asked, part);
  // Another was chosen meanwhile.
  while (asked !== language) words = await load((asked = language), part);
  use(words);
  parts.set(part, use);
}

/**
 * Speaks another language from now on. Nothing changes when it cannot be loaded.
 *
 * @param {string} wanted one of `LANGUAGES`
 * @returns {Promise<boolean>} it is another one than before
 */
async function speak(wanted) {
  const known = [...parts];
  const loaded = await Promise.all(known.map(([part]) => load(wanted, part)));
  if (wanted === language) return false;
  language = wanted;
  known.forEach(([, use], index) => use(loaded[index]));
  mark();
  return true;
}

/** The user's choice, to be kept. @param {string} wanted one of `LANGUAGES` */
export async function chooseToSpeak(wanted) {
  const isOther = await speak(wanted);
  preferences.set(CHOSEN, wanted);
  return isOther;
}

/** What the page around us speaks; it counts where the user chose nothing. @param {string} tag BCP 47 */
export async function followHost(tag) {
  preferences.set(HOSTS, tag);
  return speak(chooseLanguage(wished()));
}

/** @param {string} of @param {string} part @returns {Promise<any>} */
async function load(of, part) {
  return (await import(`./${of}/${part}.js`)).words;
}

function mark() {
  const root = globalThis.document?.documentElement;
  if (root) Object.assign(root, { lang: language, dir: directionOf(language) });
}
