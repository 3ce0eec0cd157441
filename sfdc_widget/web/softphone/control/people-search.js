/** The directory as one types: asked after a pause, and only the newest answer counts. */

/**
 * @import {DirectoryEntry, DirectorySearchResult} from '../../client/wire.d.ts'
 *
 * @typedef {object} Found
 * @property {readonly DirectoryEntry[]} entries
 * @property {boolean} isSearching for long enough to be worth a word
 * @property {boolean} isComplete
 * @property {boolean} hasFailed
 */

const PAUSE_MS = 150;
const WORTH_A_WORD_MS = 300;
/** @type {Found} */
const NOBODY = Object.freeze({ entries: [], isSearching: false, isComplete: true, hasFailed: false });

export class PeopleSearch {
  #search;
  #changed;
  #text = '';
  #turn = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #pause;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #patience;
  /** @type {Found} */
  found = NOBODY;

  /**
   * @param {(text: string) => Promise<DirectorySearchResult>} search
   * @param {() => void} changed `found` did
   */
  constructor(search, changed) {
    this.#search = search;
    this.#changed = changed;
  }

  /** @param {string} text @param {boolean} [isUrgent] not as one types */
  ask(text, isUrgent = false) {
    const wanted = text.trim();
    if (wanted === this.#text && !isUrgent) return;
    this.#text = wanted;
    this.#turn += 1;
    clearTimeout(this.#pause);
    clearTimeout(this.#patience);
    const { turn } = { turn: this.#turn };
    this.#patience = setTimeout(() => this.#tell({ ...this.found, isSearching: true }), PAUSE_MS + WORTH_A_WORD_MS);
    this.#pause = setTimeout(() => void this.#run(wanted, turn), isUrgent ? 0 : PAUSE_MS);
  }

  /** Nobody is looked for. */
  stop() {
    this.#text = '';
    this.#turn += 1;
    clearTimeout(this.#pause);
    clearTimeout(this.#patience);
    if (this.found !== NOBODY) this.#tell(NOBODY);
  }

  /** @param {string} text @param {number} turn */
  async #run(text, turn) {
    /** @type {Found} */
    let found;
    try {
      const { entries, is_complete: isComplete } = await this.#search(text);
      found = { entries, isSearching: false, isComplete, hasFailed: false };
    } catch {
      found = { ...NOBODY, hasFailed: true };
    }
    if (turn !== this.#turn) return;
    clearTimeout(this.#patience);
    this.#tell(found);
  }

  /** @param {Found} found */
  #tell(found) {
    this.found = found;
    this.#changed();
  }
}
