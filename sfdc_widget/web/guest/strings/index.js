/** The page's words in the language of the moment; each language is fetched when needed. */

/** @import {Words} from './en.js' */

/** @type {Record<string, () => Promise<{words: Words}>>} */
const LANGUAGES = {
  en: () => import('./en.js'),
  de: () => import('./de.js'),
  es: () => import('./es.js'),
  fr: () => import('./fr.js'),
};

export const FALLBACK = 'en';

/**
 * The first of the tags wished for that there is, `en` when there is none.
 *
 * @param {readonly string[]} wished BCP 47, best first
 */
export function chooseLanguage(wished) {
  const primary = wished.map((tag) => String(tag.split('-')[0]).toLowerCase());
  return primary.find((language) => Object.hasOwn(LANGUAGES, language)) ?? FALLBACK;
}

/** @param {string} language one that `chooseLanguage` gave @returns {Promise<Words>} */
export async function loadWords(language) {
  return (await /** @type {() => Promise<{words: Words}>} */ (LANGUAGES[language])()).words;
}
