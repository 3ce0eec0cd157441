/** What the window of a call says; loaded with it. */
import { moreWords } from '../softphone/strings.js';
import { say } from '../words/index.js';

/** @import {words} from '../words/en/video.js' */

/** The words in use. */
export let videoWords = /** @type {typeof words} */ ({});

export async function loadVideoWords() {
  const own = say('video', (/** @type {typeof words} */ loaded) => {
    videoWords = loaded;
  });
  await Promise.all([own, moreWords('start'), moreWords('calls'), moreWords('problems')]);
}
