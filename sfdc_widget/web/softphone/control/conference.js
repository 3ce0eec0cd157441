import { together } from '../../client/focus.js';
import { h, show } from '../dom.js';
import { company, peerNumber, who } from '../format.js';
import { icon } from '../icons.js';
import { SecondPress } from '../second-press.js';
import { words } from '../strings.js';
import { controlIcon } from './icons-control.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {ClientState} from '../../client/ringbridge-client.js'
 * @import {Presses} from '../presses.js'
 */

/** Who is in the conference; each can be taken out of it, or dropped. */
export class Conference {
  #presses;
  #list = h('ul', { class: 'rb-records' });
  element = h('section', { class: 'rb-conference', hidden: true }, h('h2', { class: 'rb-card-title' }, words.control.participants), this.#list);
  #drawn = '';

  /** @param {Presses} presses */
  constructor(presses) {
    this.#presses = presses;
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  update(state, focus) {
    const calls = focus ? together(state.calls, focus) : [];
    show(this.element, calls.length > 1);
    const key = JSON.stringify(calls.map((call) => [call.call_id, who(call), company(call), call.held_there]));
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.#list.replaceChildren(...(calls.length > 1 ? calls.map((call) => this.#row(call)) : []));
  }

  /** @param {CallView} call */
  #row(call) {
    const name = who(call);
    const detail = call.held_there ? words.control.heldByThem : company(call) || (name === peerNumber(call.peer) ? '' : peerNumber(call.peer));
    const [split, drop] = [words.control.split(name), words.control.drop(name)];
    const ask = h('span', { class: 'rb-ask' });
    const sure = new SecondPress(ask, words.control.dropSure);
    return h(
      'li',
      { class: 'rb-participant', 'data-call': call.call_id },
      h(
        'span',
        { class: 'rb-record-text' },
        h('span', { class: 'rb-other-name', dir: 'auto', title: name }, name),
        detail ? h('span', { class: 'rb-record-detail' }, h('bdi', {}, detail)) : null,
      ),
      h('button', { type: 'button', class: 'rb-icon-button', 'aria-label': split, title: split, on: { click: () => void this.#presses.split(call) } }, controlIcon('split')),
      h(
        'button',
        { type: 'button', class: 'rb-icon-button rb-drop', title: drop, on: { click: () => sure.press(() => void this.#presses.drop(call)) } },
        icon('phone-off'),
        h('span', { class: 'rb-live' }, drop),
        ask,
      ),
    );
  }
}
