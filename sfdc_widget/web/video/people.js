/** Who is in a call, in words. Pure. */

const NAMED = 2;

/**
 * "Ana, Ben and 1 other".
 *
 * @param {readonly string[]} names
 * @param {string} locale
 * @param {(count: number) => string} others those who are not named
 */
export function listed(names, locale, others) {
  const rest = names.length - NAMED;
  return new Intl.ListFormat(locale).format(rest > 0 ? [...names.slice(0, NAMED), others(rest)] : names);
}
