/**
 * One guest: a name that searches the CRM as it is typed, an e-mail to check and
 * correct, and for further ones what they are. A `guest-removed` event by its button.
 */
import { h, setAttribute, setText, show } from '../softphone/dom.js';
import { labelled, setFieldError } from './fields.js';
import { inviteIcon } from './icons-invites.js';
import { OptionList } from './option-list.js';
import { inviteWords as say } from './words.js';
import { ZoneField } from './zone-field.js';

/** @import {GuestRole, GuestView, Record as CrmRecord} from '../client/wire.d.ts' */

const SEARCH_AFTER_MS = 250;
const LEAST_TO_SEARCH = 2;

export class GuestFields extends HTMLElement {
  #search;
  #isFirst;
  /** @type {CrmRecord|null} */
  #record = null;
  #guestId = '';
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  #name = h('input', { maxlength: 80, autocomplete: 'off', placeholder: say.form.nameHint, dir: 'auto' });
  /** @type {OptionList<CrmRecord>} */
  #options = new OptionList({
    field: this.#name,
    label: say.form.found,
    words: ({ name, company, email }) => [name, [company, email].filter(Boolean).join(' · ')],
    onChoose: (record) => this.#choose(record),
  });
  #zone;
  #zoneNote = h('p', { class: 'rb-form-note' });
  #email = h('input', { type: 'email', maxlength: 254, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', dir: 'ltr' });
  #role = h(
    'select',
    {},
    h('option', { value: 'colleague' }, say.colleague),
    h('option', { value: 'customer' }, say.customer),
  );

  /**
   * @param {object} options
   * @param {boolean} options.isFirst whom the invite is for
   * @param {(text: string) => Promise<readonly CrmRecord[]>} options.search
   * @param {() => number} options.at when the call is, Unix ms
   */
  constructor({ isFirst, search, at }) {
    super();
    this.#zone = new ZoneField({ at });
    this.#isFirst = isFirst;
    this.#search = search;
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-guest-fields');
    this.setAttribute('role', 'group');
    this.setAttribute('aria-label', this.#isFirst ? say.form.who : say.form.further);
    this.#name.addEventListener('input', () => this.#typed());
    this.#name.addEventListener('blur', () => this.#close());
    this.#email.addEventListener('input', () => this.setError('email', ''));
    this.append(
      labelled(say.form.name, this.#name),
      this.#options.list,
      this.#options.status,
      labelled(say.form.email, this.#email),
      this.#zone,
    );
    if (this.#isFirst) {
      // Said once is enough.
      this.append(this.#zoneNote);
      return;
    }
    this.append(
      h(
        'div',
        { class: 'rb-row rb-guest-end' },
        h('label', {}, say.form.role, this.#role),
        h(
          'button',
          {
            type: 'button',
            class: 'rb-icon-button',
            'aria-label': say.form.removeGuest(say.form.guest),
            title: say.form.removeGuest(say.form.guest),
            on: { click: () => this.dispatchEvent(new CustomEvent('guest-removed', { bubbles: true })) },
          },
          inviteIcon('x'),
        ),
      ),
    );
  }

  get name() {
    return this.#name.value.trim();
  }

  get email() {
    return this.#email.value.trim();
  }

  /** @returns {GuestRole} */
  get guestRole() {
    return this.#isFirst ? 'customer' : /** @type {GuestRole} */ (this.#role.value);
  }

  /** IANA name, '' for the rep's own. */
  get timeZone() {
    return this.#zone.value;
  }

  /** What is typed for a time zone and is none. */
  get hasWrongZone() {
    return this.#zone.isWrong;
  }

  /** The call is at another time. */
  timeChanged() {
    this.#zone.redraw();
  }

  /** @param {string} name of the CRM, '' without one */
  set crm(name) {
    setText(this.#zoneNote, say.form.noZone(name));
  }

  /** Where no mail is sent nobody is told a time. @param {boolean} isShown */
  set hasZone(isShown) {
    show(this.#zone, isShown);
    show(this.#zoneNote, isShown);
  }

  get guestId() {
    return this.#guestId;
  }

  /** The CRM record that was chosen, null for somebody typed. */
  get record() {
    return this.#record;
  }

  get isEmpty() {
    return this.name === '';
  }

  /** @param {boolean} isNeeded */
  set needsEmail(isNeeded) {
    setAttribute(this.#email, 'aria-required', isNeeded ? 'true' : null);
    setAttribute(this.#name, 'aria-required', isNeeded ? 'true' : null);
  }

  focus() {
    this.#name.focus();
  }

  /** What is corrected when a mail came back. */
  get emailField() {
    return this.#email;
  }

  clear() {
    this.#name.value = this.#email.value = '';
    this.#record = null;
    this.#guestId = '';
    this.#zone.value = '';
    this.#close();
  }

  /** @param {GuestView} guest @param {CrmRecord|null} record */
  useGuest(guest, record) {
    this.#name.value = guest.name;
    this.#email.value = guest.email;
    this.#role.value = guest.role;
    this.#zone.value = guest.time_zone;
    this.#guestId = guest.guest_id;
    this.#record = record;
  }

  /** Somebody known; their e-mail is looked up where it is missing. @param {Partial<CrmRecord>} person */
  async usePerson(person) {
    const name = person.name ?? '';
    this.#name.value = name;
    this.#email.value = person.email ?? '';
    this.#record = person.id ? { id: '', kind: '', name, url: '', company: '', phone: '', email: '', certainty: 'exact', ...person } : null;
    if (!person.id || person.email || name.length < LEAST_TO_SEARCH) return;
    const found = await this.#search(name).catch(() => []);
    const same = found.find(({ id }) => id.slice(0, 15) === String(person.id).slice(0, 15));
    // Unless it was typed meanwhile.
    if (this.#record?.id !== person.id || this.email !== '') return;
    if (same) this.#record = same;
    if (same?.email) this.#email.value = same.email;
    else this.setError('email', say.form.noEmail);
  }

  /** @param {'name'|'email'|'time_zone'} part @param {string} text '' for none @returns {HTMLElement} the field */
  setError(part, text) {
    if (part === 'time_zone') return this.#zone.setError(text);
    return setFieldError(part === 'name' ? this.#name : this.#email, text);
  }

  // Searching as one types

  #typed() {
    this.setError('name', '');
    this.#record = null;
    clearTimeout(this.#timer);
    if (this.name.length < LEAST_TO_SEARCH) this.#close();
    else this.#timer = setTimeout(() => void this.#look(), SEARCH_AFTER_MS);
  }

  async #look() {
    const asked = (this.#asked += 1);
    const text = this.name;
    try {
      const found = await this.#search(text);
      if (asked !== this.#asked || text !== this.name || document.activeElement !== this.#name) return;
      this.#options.show(found, say.form.results(found.length));
    } catch {
      if (asked === this.#asked) this.#options.show([], say.form.searchFailed);
    }
  }

  /** @param {CrmRecord} record */
  #choose(record) {
    this.#record = record;
    this.#name.value = record.name;
    this.#email.value = record.email;
    this.setError('name', '');
    this.setError('email', record.email ? '' : say.form.noEmail);
    this.#close();
    this.#email.focus();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#options.close();
  }
}
customElements.define('ringbridge-guest-fields', GuestFields);
