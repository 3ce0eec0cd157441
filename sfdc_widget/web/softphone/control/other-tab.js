import { isHere } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { words } from '../strings.js';

/**
 * @import {ClientState} from '../../client/ringbridge-client.js'
 * @import {CallView} from '../../client/wire.d.ts'
 */

/** The phone is in another tab: this one shows it all, and can take it. */
export class OtherTab {
  #text = h('p', { class: 'rb-elsewhere-text' });
  #take = h('button', { type: 'button', class: 'rb-button rb-neutral' });
  element = h('section', { class: 'rb-banner rb-elsewhere', hidden: true, role: 'status' }, this.#text, this.#take);

  /** @param {() => Promise<unknown>} takeOver */
  constructor(takeOver) {
    this.#take.addEventListener('click', () => void takeOver().catch(() => undefined));
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  update({ isObserver, user }, focus) {
    const isShown = isObserver && user !== null;
    show(this.element, isShown);
    if (!isShown) return;
    const say = words.elsewhere;
    const call = focus && isHere(focus) ? focus : null;
    const isRinging = call?.state === 'ringing';
    setText(this.#text, isRinging ? say.ringing : call ? say.inCall : say.idle);
    setText(this.#take, call ? say.move : say.takeOver);
    // To answer is the one thing to do; it takes the phone.
    show(this.#take, !isRinging);
  }
}
