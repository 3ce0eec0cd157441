import { background, isHere, together } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { duration, elapsed, listed, who } from '../format.js';
import { icon } from '../icons.js';
import { words } from '../strings.js';
import { controlIcon } from './icons-control.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {ClientState} from '../../client/ringbridge-client.js'
 * @import {Presses} from '../presses.js'
 */

/** The calls that wait, one row each, or one for a conference: a press swaps. */
export class OtherCalls {
  #presses;
  #list = h('ul', { class: 'rb-others', 'aria-label': words.control.others, hidden: true });
  element = this.#list;
  #drawn = '';
  /** @type {Map<string, HTMLElement>} */
  #times = new Map();

  /** @param {Presses} presses */
  constructor(presses) {
    this.#presses = presses;
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  update(state, focus) {
    const others = firstOfEach(background(state));
    const facts = others.map((call) => ({
      call,
      name: namesOf(state.calls, call),
      status: statusOf(call),
      canMerge: focus !== null && isHere(call) && call.state === 'active' && isHere(focus) && focus.state === 'active',
    }));
    show(this.#list, others.length > 0);
    const key = JSON.stringify(facts.map(({ call, ...rest }) => [call.call_id, call.state, rest]));
    if (key !== this.#drawn) {
      this.#drawn = key;
      this.#draw(facts, focus);
    }
    const now = Date.now() + state.clockOffsetMs;
    for (const call of others) {
      const since = state.heldSince[call.call_id];
      const seconds = since === undefined ? elapsed(call, now) : (now - since) / 1000;
      const time = this.#times.get(call.call_id);
      if (time) setText(time, duration(seconds));
    }
  }

  /** @param {{call: CallView, name: string, status: string, canMerge: boolean}[]} facts @param {CallView|null} focus */
  #draw(facts, focus) {
    const active = /** @type {HTMLElement|null} */ (document.activeElement);
    const focusedId = this.#list.contains(active) ? active?.closest('li')?.dataset['call'] : undefined;
    this.#times.clear();
    this.#list.replaceChildren(...facts.map((each) => this.#row(each, focus)));
    if (focusedId) /** @type {HTMLElement|null} */ (this.#list.querySelector(`[data-call="${focusedId}"] button`))?.focus();
  }

  /** @param {{call: CallView, name: string, status: string, canMerge: boolean}} facts @param {CallView|null} focus */
  #row({ call, name, status, canMerge }, focus) {
    const time = h('span', { class: 'rb-timer' });
    this.#times.set(call.call_id, time);
    const text = [
      h('span', { class: 'rb-other-name', dir: 'auto', title: name }, name),
      h('span', { class: 'rb-other-state' }, status, ' ', time),
    ];
    const canSwap = isHere(call) && call.state === 'active';
    const swap = words.control.swap(name);
    const merge = words.control.mergeWith(name);
    return h(
      'li',
      { class: 'rb-other', 'data-call': call.call_id, 'data-device': call.device },
      canSwap
        ? h(
            'button',
            { type: 'button', class: 'rb-other-main', title: swap, on: { click: () => void this.#presses.swap(call) } },
            icon('pause'),
            h('span', { class: 'rb-other-text' }, ...text),
            h('span', { class: 'rb-live' }, swap),
            controlIcon('arrow-left-right'),
          )
        : h('div', { class: 'rb-other-main' }, isHere(call) ? icon('phone') : controlIcon('headset'), h('span', { class: 'rb-other-text' }, ...text)),
      canMerge && focus
        ? h(
            'button',
            { type: 'button', class: 'rb-icon-button', 'aria-label': merge, title: merge, on: { click: () => void this.#presses.merge([focus, call]) } },
            controlIcon('merge'),
          )
        : null,
    );
  }
}

/** @param {readonly CallView[]} calls */
function firstOfEach(calls) {
  return calls.filter(
    ({ conference }, index) => conference === '' || calls.findIndex((each) => each.conference === conference) === index,
  );
}

/** @param {readonly CallView[]} calls @param {CallView} call */
function namesOf(calls, call) {
  return listed(together(calls, call).map(who));
}

/** @param {CallView} call */
function statusOf(call) {
  if (!isHere(call)) {
    if (call.state === 'ringing') return words.desk.ringing;
    return call.state === 'active' ? words.desk.active : words.desk.calling;
  }
  if (call.transfer && call.transfer.state !== 'failed') return words.status.transferring;
  if (call.state !== 'active') return call.state === 'alerting' ? words.status.alerting : words.status.calling;
  return call.held_here ? words.control.onHold : call.held_there ? words.control.heldByThem : words.status.active;
}
