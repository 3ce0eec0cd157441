/**
 * A name or a number within a sentence of the other direction, so that neither turns the
 * other around: between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX 9). A number
 * alone is left to right.
 *
 * @param {string} text
 */
export function isolated(text) {
  return `\u2068${text}\u2069`;
}
