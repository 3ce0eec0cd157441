import { setText } from './dom.js';

/** Not pressed again by then, it was not meant. */
const ASKS_FOR_MS = 4_000;

/** What cannot be undone is done by a second press in the same place. */
export class SecondPress {
  #label;
  #plain = '';
  #ask;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {HTMLElement} label whose words ask @param {string} ask */
  constructor(label, ask) {
    this.#label = label;
    this.#ask = ask;
  }

  get isAsking() {
    return this.#timer !== undefined;
  }

  /** @param {() => void} act done by the second press */
  press(act) {
    if (this.isAsking) {
      this.cancel();
      act();
      return;
    }
    this.#plain = this.#label.textContent ?? '';
    setText(this.#label, this.#ask);
    this.#timer = setTimeout(() => this.cancel(), ASKS_FOR_MS);
  }

  cancel() {
    if (!this.isAsking) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    setText(this.#label, this.#plain);
  }
}
