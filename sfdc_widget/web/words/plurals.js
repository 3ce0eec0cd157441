/**
 * What depends on a number: `plural(count, { one: '1 call', other: `${count} calls` })`.
 *
 * @typedef {Partial<Record<Intl.LDMLPluralRule, string>> & {other: string}} Forms
 *
 * @param {string} language BCP 47
 * @returns {(count: number, forms: Forms) => string}
 */
export function plurals(language) {
  const rules = new Intl.PluralRules(language);
  return (count, forms) => forms[rules.select(count)] ?? forms.other;
}
