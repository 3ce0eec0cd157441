/** The languages that pages speak. Pure. */

/** By BCP 47 primary tag, each in its own words. @type {Readonly<Record<string, string>>} */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ar: 'العربية',
};

/** Those that invites and their mails can be in. */
export const MAIL_LANGUAGES = ['en', 'de', 'es', 'fr'];

export const FALLBACK = 'en';

/**
 * The first of the tags wished for that there is, `en` when there is none.
 *
 * @param {readonly string[]} wished BCP 47, best first
 */
export function chooseLanguage(wished) {
  return wished.map(primary).find((language) => Object.hasOwn(LANGUAGES, language)) ?? FALLBACK;
}

/**
 * The user's own kind of the language, so that times in `en` read as they are used to.
 *
 * @param {string} language
 * @param {readonly string[]} preferred BCP 47, best first
 */
export function localeFor(language, preferred) {
  const own = preferred.find((tag) => primary(tag) === language) ?? language;
  // Telephone numbers and timers have these digits; two kinds on one screen confuse.
  return language === 'ar' ? new Intl.Locale(own, { numberingSystem: 'latn' }).toString() : own;
}

/** @param {string} language @returns {'rtl'|'ltr'} */
export function directionOf(language) {
  return language === 'ar' ? 'rtl' : 'ltr';
}

/** @param {string} tag */
function primary(tag) {
  return String(tag.split(/[-_]/u)[0]).toLowerCase();
}
