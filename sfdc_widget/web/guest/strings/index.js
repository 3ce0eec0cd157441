/** The page's words in the language of the moment; each language is fetched when needed. */

/** @import {Words} from './en.js' */

/** @type {Record<string, () => Promise<{words: Words}>>} */
const LOADERS = {
  en: () => import('./en.js'),
  de: () => import('./de.js'),
  es: () => import('./es.js'),
  fr: () => import('./fr.js'),
  ar: () => import('./ar.js'),
};

/** @param {string} language one that `chooseLanguage` gave @returns {Promise<Words>} */
export async function loadWords(language) {
  return (await /** @type {() => Promise<{words: Words}>} */ (LOADERS[language])()).words;
}
