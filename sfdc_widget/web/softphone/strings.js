/**
 * Every word the softphone says, in the language in use: `../words/en/` has them in
 * English, and whoever adds one there adds it to every other language.
 */
import { say } from '../words/index.js';

/**
 * @import {words as start} from '../words/en/start.js'
 * @import {words as problems, Advice as Said} from '../words/en/problems.js'
 * @import {words as calls} from '../words/en/calls.js'
 * @import {words as signIn} from '../words/en/sign-in.js'
 * @import {words as elsewhere} from '../words/en/elsewhere.js'
 *
 * @typedef {Said} Advice
 * @typedef {typeof start & typeof calls & typeof problems & typeof signIn & typeof elsewhere} Strings
 */

/** The words in use, as far as they are loaded: what is on show from the start asks for those of `start` alone. */
export let words = /** @type {Strings} */ ({});

/** Loads a part of them. @param {'start'|'calls'|'problems'|'sign-in'|'elsewhere'} part */
export function moreWords(part) {
  return say(part, (/** @type {Record<string, any>} */ more) => {
    words = /** @type {Strings} */ ({ ...words, ...joined(words, more) });
  });
}

/** A group may have its words in several parts. @param {Record<string, any>} known @param {Record<string, any>} more */
function joined(known, more) {
  return Object.fromEntries(
    Object.entries(more).map(([name, group]) => [name, typeof group === 'string' ? group : { ...known[name], ...group }]),
  );
}
