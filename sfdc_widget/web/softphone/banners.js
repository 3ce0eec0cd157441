import { h, setText, show } from './dom.js';
import { soonOver } from './format.js';
import { words } from './strings.js';

/** @import {ClientState} from '../client/ringbridge-client.js' */

/** What matters whatever is on the screen: no connection, an invite that ends soon. */
export class Banners {
  #offline = h('p', { class: 'rb-banner', hidden: true });
  #endingText = h('p', {});
  #ending = h(
    'section',
    { class: 'rb-banner rb-ending', hidden: true },
    this.#endingText,
    h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.actions.extend() } }, words.ending.extend),
  );
  elements = [this.#offline, this.#ending];
  actions = { extend: () => {} };

  /**
   * @param {ClientState} state
   * @param {boolean} isOffline for long enough to be worth a word
   * @returns {string} what is to be announced, '' for nothing
   */
  update(state, isOffline) {
    const say = words.reconnecting;
    setText(this.#offline, state.isOffline ? say.offline : state.calls.length > 0 ? say.inCall : say.idle);
    show(this.#offline, isOffline || state.isOffline);
    const now = Date.now() + state.clockOffsetMs;
    const ending = soonOver(state, now);
    const isNew = show(this.#ending, ending !== null);
    if (!ending) return '';
    setText(this.#endingText, words.ending.in(Math.ceil((ending.at - now) / 60_000)));
    return isNew ? this.#endingText.textContent ?? '' : '';
  }
}
