/**
 * Where a guest is: a time zone, searched as it is typed. Empty is the rep's own. A
 * `zone-changed` event when it is another.
 */
import { h } from '../softphone/dom.js';
import { labelled, setFieldError } from './fields.js';
import { OptionList } from './option-list.js';
import { findZones, zone, zoneInWords, zoneMeant } from './times.js';
import { inviteWords as say } from './words.js';

const SHOWN = 8;

export class ZoneField extends HTMLElement {
  /** The moment whose offset counts: it differs from season to season. */
  #at;
  #value = '';
  #input = h('input', { maxlength: 80, autocomplete: 'off', spellcheck: 'false', dir: 'auto' });
  /** @type {OptionList<string>} */
  #options = new OptionList({
    field: this.#input,
    label: say.form.zonesFound,
    words: (name) => [zoneInWords(name, this.#at()), name.split('/').slice(0, -1).join(', ').replaceAll('_', ' ')],
    onChoose: (name) => this.#choose(name),
    enterTakesFirst: true,
  });

  /** @param {object} options @param {() => number} options.at Unix ms */
  constructor({ at }) {
    super();
    this.#at = at;
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-zone-field');
    this.#input.addEventListener('input', () => this.#typed());
    this.#input.addEventListener('focus', () => this.#input.select());
    this.#input.addEventListener('blur', () => this.#left());
    this.append(labelled(say.form.guestZone, this.#input), this.#options.list, this.#options.status);
    this.redraw();
  }

  /** IANA name, '' for the rep's own. */
  get value() {
    return this.#value;
  }

  set value(name) {
    this.#value = name;
    this.setError('');
    this.redraw();
  }

  /** Whether what is typed is no time zone. */
  get isWrong() {
    return this.#input.getAttribute('aria-invalid') === 'true';
  }

  /** @param {string} text '' for none @returns {HTMLElement} the field */
  setError(text) {
    return setFieldError(this.#input, text);
  }

  /** The moment is another: so may the offset be. */
  redraw() {
    this.#input.placeholder = say.form.asMine(zoneInWords(zone(), this.#at()));
    if (this.isWrong) return;
    this.#input.value = this.#value === '' ? '' : zoneInWords(this.#value, this.#at());
  }

  #typed() {
    this.setError('');
    const found = findZones(this.#input.value, SHOWN);
    this.#options.show(found, this.#input.value.trim() === '' ? '' : say.form.zoneResults(found.length));
  }

  /** What was typed and not chosen is meant all the same, if it can only mean one. */
  #left() {
    const typed = this.#input.value.trim();
    const isAsBefore = this.#value !== '' && typed === zoneInWords(this.#value, this.#at());
    this.#options.close();
    if (isAsBefore) return;
    const meant = typed === '' ? '' : zoneMeant(typed);
    if (typed !== '' && meant === '') this.setError(say.error.zone);
    else this.#choose(meant);
  }

  /** @param {string} name */
  #choose(name) {
    const isNew = name !== this.#value;
    this.value = name;
    this.#options.close();
    if (isNew) this.dispatchEvent(new CustomEvent('zone-changed', { bubbles: true }));
  }
}
customElements.define('ringbridge-zone-field', ZoneField);
