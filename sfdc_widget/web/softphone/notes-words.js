/** What the notes of a call say; loaded with them. */
import { say } from '../words/index.js';

/** @import {words} from '../words/en/notes.js' */

/** The words in use. */
export let notesWords = /** @type {typeof words} */ ({});

export function loadNotesWords() {
  return say('notes', (/** @type {typeof words} */ loaded) => {
    notesWords = loaded;
  });
}
