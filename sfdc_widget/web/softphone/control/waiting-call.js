import { isTalking } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { company, who } from '../format.js';
import { words } from '../strings.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {Presses} from '../presses.js'
 */

/** A press meant for what was here before must not answer. */
const GUARD_MS = 400;

/** Somebody else calls: four ways to deal with it, over whatever is on the screen. */
export class WaitingCall {
  #presses;
  /** @type {CallView|null} */
  #call = null;
  #since = 0;
  #text = h('p', { class: 'rb-second-text', dir: 'auto' });
  #detail = h('p', { class: 'rb-second-detail', dir: 'auto' });
  #hold = this.#button('rb-answer', words.call.holdAndAnswer, (call) => this.#presses.answer(call));
  #end = this.#button('rb-neutral', words.call.endAndAnswer, (call) => this.#presses.endAndAnswer(call));
  #decline = this.#button('rb-neutral rb-danger', words.call.decline, (call) => this.#presses.decline(call));
  #busy = this.#button('rb-neutral', words.call.busy, (call) => this.#presses.decline(call, 'busy'));
  element = h(
    'section',
    { class: 'rb-second', hidden: true },
    h('div', {}, this.#text, this.#detail),
    h('div', { class: 'rb-second-ways' }, this.#hold, this.#end, this.#decline, this.#busy),
  );

  /** @param {Presses} presses */
  constructor(presses) {
    this.#presses = presses;
    this.#busy.title = words.call.busyLong;
  }

  /** @param {CallView|null} call that waits @param {CallView|null} focus */
  update(call, focus) {
    if (call?.call_id !== this.#call?.call_id) this.#since = performance.now();
    this.#call = call;
    show(this.element, call !== null);
    if (!call) return;
    setText(this.#text, words.call.second(who(call)));
    const detail = company(call);
    setText(this.#detail, detail);
    show(this.#detail, detail !== '');
    // What is being placed cannot be put on hold.
    show(this.#hold, focus === null || focus.state === 'active');
    setText(this.#hold, focus && isTalking(focus) ? words.call.holdAndAnswer : words.call.answer);
  }

  /** @param {string} kind @param {string} label @param {(call: CallView) => unknown} act */
  #button(kind, label, act) {
    return h(
      'button',
      {
        type: 'button',
        class: `rb-button ${kind}`,
        on: {
          click: () => {
            if (this.#call && performance.now() - this.#since >= GUARD_MS) void act(this.#call);
          },
        },
      },
      label,
    );
  }
}
