/** What the invites say; loaded with them. */
import { say } from '../words/index.js';

/** @import {words} from '../words/en/invites.js' */

/** The words in use. */
export let inviteWords = /** @type {typeof words} */ ({});

export function loadInviteWords() {
  return say('invites', (/** @type {typeof words} */ loaded) => {
    inviteWords = loaded;
  });
}
