import { LinkError, unknownLink } from './link.js';
import { lookAgainMs } from './screen.js';

/**
 * @import {JoinView} from '../client/wire.d.ts'
 * @import {InviteLink, LinkFailure} from './link.js'
 */

/** What the link leads to, looked at again whenever that may have changed. */
export class LinkWatch {
  #link;
  #looked;
  #failures = 0;
  #isLooking = false;
  // Asked for while one look was under way, whose answer may be older than the wish.
  #isWanted = false;
  #isResting = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {JoinView|null} null until it is known */
  view = null;
  /** @type {LinkFailure|null} of the last look */
  failure = null;
  /** Server time minus this device's. */
  clockOffsetMs = 0;

  /**
   * @param {InviteLink|null} link null: the address has none
   * @param {(isNew: boolean) => Promise<void>} looked after each look; `isNew`: it
   *   was answered
   */
  constructor(link, looked) {
    this.#link = link;
    this.#looked = looked;
  }

  /** Server time. */
  get now() {
    return Date.now() + this.clockOffsetMs;
  }

  get isLooking() {
    return this.#isLooking;
  }

  async look() {
    this.#isWanted = this.#isLooking;
    if (this.#isLooking) return;
    this.#isLooking = true;
    clearTimeout(this.#timer);
    const isNew = await this.#look();
    this.#isLooking = false;
    this.#later();
    await this.#looked(isNew);
    if (this.#isWanted) await this.look();
  }

  async #look() {
    try {
      if (this.#link) {
        const { view, clockOffsetMs } = await this.#link.look();
        this.view = view;
        this.clockOffsetMs = clockOffsetMs;
      } else {
        this.view = unknownLink(Date.now());
      }
    } catch (error) {
      const kind = error instanceof LinkError ? error.kind : 'unreachable';
      if (kind !== 'refused') {
        this.failure = kind;
        this.#failures += 1;
        return false;
      }
      // So odd that the gateway did not even look.
      this.view = unknownLink(Date.now());
    }
    this.failure = null;
    this.#failures = 0;
    return true;
  }

  /** The network is gone, says the browser. */
  lost() {
    this.failure = 'offline';
    this.#failures = Math.max(1, this.#failures);
    this.#later();
  }

  /** No looks by itself, while a call is up. @param {boolean} isResting */
  rest(isResting) {
    if (this.#isResting === isResting) return;
    this.#isResting = isResting;
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    if (this.#isResting || this.#isLooking) return;
    const { view, failure, now } = this;
    const wait = lookAgainMs({ view, failure, failures: this.#failures, now, random: Math.random() });
    if (wait !== null) this.#timer = setTimeout(() => void this.look(), wait);
  }
}
