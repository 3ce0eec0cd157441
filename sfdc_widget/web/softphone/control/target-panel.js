import { isHere } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { dialable, who } from '../format.js';
import { targetOfEntry } from '../presses.js';
import { words } from '../strings.js';
import { PeopleList } from './people-list.js';
import { PeopleSearch } from './people-search.js';

/**
 * @import {CallView, DirectoryEntry} from '../../client/wire.d.ts'
 * @import {WindowedClient} from '../../video/windowed.js'
 * @import {Presses, Target} from '../presses.js'
 *
 * @typedef {Target & {toCall?: string}} Chosen
 */

/** Whom to transfer to, or to add: one field, and what then happens. */
export class TargetPanel extends HTMLElement {
  #client;
  #presses;
  #isTransfer;
  #done;
  /** @type {CallView|null} */
  #call = null;
  /** @type {Chosen|null} */
  #chosen = null;
  #title = h('h2', { class: 'rb-card-title', dir: 'auto' });
  #field = h('input', {
    class: 'rb-dial-field',
    type: 'text',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: words.control.search,
    maxlength: 255,
    dir: 'auto',
  });
  #held = h('ul', { class: 'rb-records', hidden: true });
  #to = h('p', { class: 'rb-target', role: 'status', dir: 'auto' });
  #first;
  #second = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => void this.#ask() } }, words.control.askFirst);
  #search;
  #list;

  /**
   * @param {object} options
   * @param {WindowedClient} options.client
   * @param {Presses} options.presses
   * @param {boolean} options.isTransfer else a call is added
   * @param {() => void} options.done close it
   */
  constructor({ client, presses, isTransfer, done }) {
    super();
    this.#client = client;
    this.#presses = presses;
    this.#isTransfer = isTransfer;
    this.#field.setAttribute('aria-label', isTransfer ? words.control.searchTransfer : words.control.searchAdd);
    this.#done = done;
    this.#first = h(
      'button',
      { type: 'submit', class: 'rb-button rb-brand' },
      isTransfer ? words.control.now : words.control.call,
    );
    // Before the list's, whose Enter is its own.
    this.#list = new PeopleList({ field: this.#field, onChoose: (entry) => this.#choose(entry), onStar: null });
    this.#search = new PeopleSearch((text) => client.searchDirectory(text), () => this.#draw());
    this.#field.addEventListener('input', () => this.#typed());
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.classList.add('rb-panel', 'rb-target-panel');
    this.append(
      this.#title,
      h(
        'form',
        {
          novalidate: true,
          on: {
            submit: (/** @type {Event} */ event) => {
              event.preventDefault();
              void this.#now();
            },
          },
        },
        h('div', { class: 'rb-field' }, this.#field),
        this.#to,
        h('div', { class: 'rb-row rb-choices' }, this.#first, this.#isTransfer ? this.#second : null),
      ),
      this.#held,
      this.#list.element,
    );
  }

  /** Begins anew. */
  opened() {
    this.#field.value = '';
    this.#chosen = null;
    this.#search.ask('', true);
    this.#draw();
    this.#field.focus({ preventScroll: true });
  }

  closed() {
    this.#search.stop();
  }

  /** @param {CallView} call */
  update(call) {
    this.#call = call;
    if (!this.hidden) this.#draw();
  }

  #typed() {
    this.#chosen = null;
    this.#search.ask(this.#field.value, this.#field.value.trim() === '');
    this.#draw();
  }

  /** @param {DirectoryEntry} entry */
  #choose(entry) {
    this.#chosen = targetOfEntry(entry);
    this.#field.value = entry.name;
    this.#search.stop();
    this.#draw();
    this.#first.focus({ preventScroll: true });
  }

  /** @returns {Chosen|null} who was chosen, or the number as it was typed */
  get #target() {
    const number = dialable(this.#field.value);
    return this.#chosen ?? (number === null ? null : { number });
  }

  #draw() {
    const call = this.#call;
    if (!call) return;
    setText(this.#title, this.#isTransfer ? words.control.transferTo(who(call)) : words.control.addTo);
    const target = this.#target;
    let to = words.control.choose;
    if (this.#chosen) to = words.control.chosen(this.#chosen.name || this.#chosen.number);
    else if (target) to = words.control.asIs(target.number);
    setText(this.#to, to);
    this.#first.disabled = this.#second.disabled = target === null;
    this.#drawHeld(call);
    const { state } = this.#client;
    this.#list.update(this.#search.found, { crm: state.crm, isWanted: this.#field.value.trim() !== '' && this.#chosen === null && target === null });
  }

  /** Who waits already can be put through at once. @param {CallView} call */
  #drawHeld(call) {
    const { calls } = this.#client.state;
    const held = this.#isTransfer && this.#field.value === ''
      ? calls.filter((each) => each.call_id !== call.call_id && isHere(each) && each.state === 'active' && each.conference === '')
      : [];
    show(this.#held, held.length > 0);
    const key = held.map((each) => `${each.call_id} ${who(each)}`).join('\n');
    if (this.#held.dataset['drawn'] === key) return;
    this.#held.dataset['drawn'] = key;
    this.#held.replaceChildren(
      ...held.map((each) =>
        h(
          'li',
          {},
          h(
            'button',
            {
              type: 'button',
              class: 'rb-record',
              on: { click: () => void this.#put({ number: '', toCall: each.call_id }) },
            },
            h(
              'span',
              { class: 'rb-record-text' },
              h('span', { class: 'rb-record-name', dir: 'auto' }, who(each)),
              h('span', { class: 'rb-record-detail' }, words.control.onHold),
            ),
          ),
        ),
      ),
    );
  }

  /** @param {Chosen} target */
  async #put({ number, toCall }) {
    const call = this.#call;
    if (!call) return;
    this.#done();
    await this.#presses.transfer(call, toCall ? { toCall } : { to: number });
  }

  async #now() {
    const target = this.#target;
    if (!target || !this.#call) {
      this.#field.focus();
      return;
    }
    if (this.#isTransfer) {
      await this.#put(target);
      return;
    }
    this.#done();
    await this.#presses.dial(target);
  }

  async #ask() {
    const [target, call] = [this.#target, this.#call];
    if (!target || !call) return;
    this.#done();
    await this.#presses.dial(target, { consultsFor: call.call_id });
  }
}
customElements.define('ringbridge-target', TargetPanel);
